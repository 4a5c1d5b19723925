"""DaVinci Resolve's scripting: the session, its window and page, and placing stylized shots."""
