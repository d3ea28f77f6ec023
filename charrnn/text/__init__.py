"""From files to ids: decoding, vocabulary, pieces, training windows, held-out text, the doctor."""
