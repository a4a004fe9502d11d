def report(update):
    return None
