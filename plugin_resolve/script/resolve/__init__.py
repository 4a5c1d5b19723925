"""DaVinci Resolve's scripting API, typed, its answers looked up again."""
