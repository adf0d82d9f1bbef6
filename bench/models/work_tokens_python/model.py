# SPDX-License-Identifier: Apache-2.0
"""Text -> ids of word pieces, as BERT wants them."""

import os
import re

import numpy as np
import triton_python_backend_utils as pb_utils

WORD = re.compile(r"[a-z0-9]+|[^a-z0-9\s]")


class Tokeniser:
    def __init__(self, vocabulary):
        """`vocabulary` holds one piece a line; pieces that continue a word begin with ##."""
        self.first = {piece: i for i, piece in enumerate(vocabulary) if not piece.startswith("##")}
        self.later = {piece[2:]: i for i, piece in enumerate(vocabulary) if piece.startswith("##")}
        self.longest = max(map(len, [*self.first, *self.later]))
        self.unknown = self.first["[UNK]"]
        self.begin = self.first["[CLS]"]
        self.end = self.first["[SEP]"]

    def pieces(self, word):
        """The longest piece that fits, again and again."""
        found = []
        start = 0
        while start < len(word):
            ids = self.first if start == 0 else self.later
            end = min(len(word), start + self.longest)
            piece = None
            while piece is None and end > start:
                piece = ids.get(word[start:end])
                end -= 1
            if piece is None:
                return [self.unknown]
            found.append(piece)
            start = end + 1
        return found

    def tokenise(self, text):
        ids = [self.begin]
        for word in WORD.findall(text.lower()):
            ids.extend(self.pieces(word))
        ids.append(self.end)
        return np.array(ids, dtype=np.int64)


class TritonPythonModel:
    def initialize(self, args):
        path = os.path.join(args["model_repository"], args["model_version"], "vocabulary.txt")
        with open(path, encoding="utf-8") as file:
            self.tokeniser = Tokeniser(file.read().splitlines())

    def execute(self, requests):
        responses = []
        for request in requests:
            text = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()[0].decode("utf-8")
            output = pb_utils.Tensor("IDS", self.tokeniser.tokenise(text))
            responses.append(pb_utils.InferenceResponse([output]))
        return responses
