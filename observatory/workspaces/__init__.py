"""Who is asking: users, workspaces, roles, API keys, sessions.

The lowest room. Must not know what a workspace holds, nor import another room.
"""
