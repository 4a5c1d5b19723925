"""DaVinci Resolve's scripting API, typed, and with what it says looked up again."""
