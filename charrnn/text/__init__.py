"""From files to ids: decoding, vocabulary, training windows, labeled texts, held-out splits."""
