"""What people do, one file each: register, prepare, associate, execute, submit, approve, audit.

A workflow brings the layers below together and returns values; it never prints, prompts or
exits (``cli`` does), and what it needs to ask is handed to it as a function.
"""
