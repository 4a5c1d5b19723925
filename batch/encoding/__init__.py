"""How the painted picture is encoded."""
