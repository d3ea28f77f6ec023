"""From files to ids: decoding, the vocabulary, windows, labelled texts and what is held out."""
