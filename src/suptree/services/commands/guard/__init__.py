"""What runs in the guardian: a process of its own, which starts commands and sees to it that none survives.

    this program
    └── guardian                one for each `SystemCommandManager`, started at its first command
        └── minder              one for each command
            └── the command     the leader of a session of its own, and whatever it starts

The guardian and its minders adopt what their descendants leave behind (Linux), so that a
process which has left its group, its session and its parent is found as well.  They end
what they mind when it is time, when nobody wants it any more, and when this program dies.

These files import the standard library alone, and one another: the guardian starts in a
bare interpreter, without suptree.  Why it is so: docs/adr/0012.
"""
