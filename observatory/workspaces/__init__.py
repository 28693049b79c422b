"""Users, workspaces, roles, API keys and sessions.

The lowest room. Must not know what a workspace contains, nor import another room.
"""
