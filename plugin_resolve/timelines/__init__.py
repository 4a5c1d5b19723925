"""Timeline files of editing programs, their clips stylized on new tracks."""
