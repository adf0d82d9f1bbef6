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
        self.ids = {piece: i for i, piece in enumerate(vocabulary)}
        self.unknown = self.ids["[UNK]"]
        self.begin = self.ids["[CLS]"]
        self.end = self.ids["[SEP]"]

    def pieces(self, word):
        """The longest piece that fits, again and again."""
        found = []
        start = 0
        while start < len(word):
            end = len(word)
            piece = None
            while piece is None and end > start:
                text = word[start:end]
                piece = self.ids.get(text if start == 0 else "##" + text)
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
