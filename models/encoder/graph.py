"""The ONNX graph of the encoder, its pooling and its heads, written node by node.

One graph serves training (pooled features of several layers) and serving (probabilities), so a head is trained on exactly the
numbers the shipped graph computes.

Matrix products run in int8 with one activation scale for every token (as in LLM.int8, Dettmers et al. 2022, arXiv:2208.07339), not
one for the whole batch as ONNX Runtime's dynamic quantisation has it. A text's result therefore depends neither on the texts beside
it nor on padding.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.encoder.quantization import BLOCK, pack_nibbles, quantize_blocks, quantize_rows
from models.errors import require

__all__ = ["EncoderGraph", "Precision"]

CONTRIB = "com.microsoft"
Precision = Literal["int8", "float32"]


class EncoderGraph:
    """Builds a BERT encoder as ONNX.

    Args:
        tensors: Hugging Face ``BertModel`` tensors, the word embedding already trimmed.
        config: Hugging Face ``config.json`` fields.
        precision: ``int8`` as shipped; ``float32`` leaves every weight as it is, for comparison.
        layers: how many layers to keep, from the bottom; all by default.
    """

    def __init__(
        self,
        tensors: dict[str, NDArray[np.float32]],
        config: dict[str, Any],
        *,
        precision: Precision = "int8",
        layers: int | None = None,
    ) -> None:
        self._onnx = require("onnx")
        self.tensors = tensors
        self.config = config
        self.precision = precision
        self.layers = layers or int(config["num_hidden_layers"])
        self.hidden = int(config["hidden_size"])
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._outputs: list[Any] = []
        self._quantized: set[str] = set()
        self._pooled: dict[int, str] = {}
        self._states = self._encoder()

    # -- small pieces -------------------------------------------------------------------------------------------------

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an initializer and return its name."""
        self._initializers.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def output(self, name: str, shape: list[str | int]) -> None:
        """Declare a float32 graph output."""
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, self._onnx.TensorProto.FLOAT, shape))

    def _matmul(self, value: str, weights: NDArray[np.float32], name: str) -> str:
        """``value @ weights.T`` for ``weights`` ``[out, in]``."""
        if self.precision == "float32":
            return self.node("MatMul", [value, self.constant(f"{name}.weight", weights.T)], name)
        rows = quantize_rows(weights)
        levels, token_scale = self._quantized_tokens(value)
        inputs = [levels, self.constant(f"{name}.weight", rows.levels.T), "one", self.constant(f"{name}.scale", rows.scales), "middle"]
        product = self.node("MatMulIntegerToFloat", inputs, f"{name}.unscaled", domain=CONTRIB)
        return self.node("Mul", [product, token_scale], name)

    def _quantized_tokens(self, value: str) -> tuple[str, str]:
        """``value`` as uint8 around 128 and the scale of each token ``[batch, sequence, 1]``."""
        levels, scale = f"{value}.levels", f"{value}.scale"
        if not self._quantized:
            self.constant("one", np.array(1.0, np.float32))
            self.constant("middle", np.array(128, np.uint8))
            self.constant("level", np.array(1 / 127, np.float32))
            self.constant("last_axis", np.array([-1], np.int64))
        if value not in self._quantized:
            self._quantized.add(value)
            self.node("Abs", [value], f"{value}.magnitude")
            self.node("ReduceMax", [f"{value}.magnitude", "last_axis"], f"{value}.peak", keepdims=1)
            self.node("Mul", [f"{value}.peak", "level"], scale)
            self.node("Div", [value, scale], f"{value}.relative")
            self.node("QuantizeLinear", [f"{value}.relative", "one", "middle"], levels)
        return levels, scale

    # -- the encoder --------------------------------------------------------------------------------------------------

    def _embed(self) -> str:
        words = self.tensors["embeddings.word_embeddings.weight"]
        if self.precision == "float32":
            embedded = self.node("Gather", [self.constant("word.weight", words), "input_ids"], "word")
        else:
            blocks = quantize_blocks(words)
            packed = pack_nibbles(blocks.levels).tobytes()
            kind = self._onnx.TensorProto.INT4
            self._initializers.append(self._onnx.helper.make_tensor("word.weight", kind, list(words.shape), packed, raw=True))
            # Scales are numbers of 16 bits: it saves a tenth of the file.
            inputs = ["word.weight", "input_ids", self.constant("word.scale", blocks.scales.astype(np.float16))]
            self.node("GatherBlockQuantized", inputs, "word16", domain=CONTRIB, block_size=BLOCK, gather_axis=0, quantize_axis=1)
            embedded = self.node("Cast", ["word16"], "word", to=self._onnx.TensorProto.FLOAT)
        # Token type is always 0 here, so its row is folded into the position table.
        table = self.tensors["embeddings.position_embeddings.weight"] + self.tensors["embeddings.token_type_embeddings.weight"][0]
        self.node("Shape", ["input_ids"], "length", start=1, end=2)
        zero = self.constant("zero", np.array([0], np.int64))
        positions = self.node("Slice", [self.constant("position.weight", table), zero, "length", zero], "position")
        self.node("Add", [embedded, positions], "embedded")
        return self.node("LayerNormalization", ["embedded", *self._norm("embeddings.LayerNorm")], "state0", axis=-1, epsilon=self._epsilon)

    @property
    def _epsilon(self) -> float:
        return float(self.config["layer_norm_eps"])

    def _norm(self, name: str) -> list[str]:
        return [self.constant(f"{name}.{part}", self.tensors[f"{name}.{part}"]) for part in ("weight", "bias")]

    def _bias(self, name: str) -> str:
        return self.constant(f"{name}.bias", self.tensors[f"{name}.bias"])

    def _layer(self, index: int, state: str) -> str:
        prefix = f"encoder.layer.{index}."
        parts = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
        joined = np.concatenate([self.tensors[f"{part}.weight"] for part in parts])
        bias = self.constant(f"{prefix}qkv.bias", np.concatenate([self.tensors[f"{part}.bias"] for part in parts]))
        projected = self._matmul(state, joined, f"{prefix}qkv")
        names = [f"{prefix}{part}" for part in "qkv"]
        self._nodes.append(self._onnx.helper.make_node("Split", [projected], names, name=f"{prefix}split", axis=-1, num_outputs=3))
        heads = int(self.config["num_attention_heads"])
        attended = self.node(
            "MultiHeadAttention", [*names, bias, "mask32"], f"{prefix}attended", domain=CONTRIB, num_heads=heads, mask_filter_value=-3.0e38
        )
        mixed = self._matmul(attended, self.tensors[f"{prefix}attention.output.dense.weight"], f"{prefix}attention.output.dense")
        state = self._skip_norm(mixed, state, f"{prefix}attention.output", f"{prefix}attended_state")
        wide = self._matmul(state, self.tensors[f"{prefix}intermediate.dense.weight"], f"{prefix}intermediate.dense")
        active = self.node("BiasGelu", [wide, self._bias(f"{prefix}intermediate.dense")], f"{prefix}active", domain=CONTRIB)
        narrow = self._matmul(active, self.tensors[f"{prefix}output.dense.weight"], f"{prefix}output.dense")
        return self._skip_norm(narrow, state, f"{prefix}output", f"state{index + 1}")

    def _skip_norm(self, value: str, skip: str, prefix: str, output: str) -> str:
        inputs = [value, skip, *self._norm(f"{prefix}.LayerNorm"), self._bias(f"{prefix}.dense")]
        return self.node("SkipLayerNormalization", inputs, output, domain=CONTRIB, epsilon=self._epsilon)

    def _encoder(self) -> list[str]:
        tensor = self._onnx.TensorProto
        self.node("Cast", ["attention_mask"], "mask32", to=tensor.INT32)
        self.node("Cast", ["attention_mask"], "mask_float", to=tensor.FLOAT)
        row = self.constant("row_axis", np.array([1], np.int64))
        self.node("Unsqueeze", ["mask_float", row], "mask_row")
        self.node("ReduceSum", ["mask_float", row], "tokens", keepdims=1)
        states = [self._embed()]
        for index in range(self.layers):
            states.append(self._layer(index, states[-1]))
        return states

    def state(self, layer: int) -> str:
        """States after ``layer`` layers: ``[batch, sequence, hidden]``."""
        return self._states[layer]

    def pooled(self, layer: int) -> str:
        """Mean of the states after ``layer`` layers over the attended tokens: ``[batch, hidden]``."""
        if layer not in self._pooled:
            total = self.node("MatMul", ["mask_row", self._states[layer]], f"sum{layer}")
            flat = self.node("Squeeze", [total, "row_axis"], f"flat{layer}")
            self._pooled[layer] = self.node("Div", [flat, "tokens"], f"pooled{layer}")
        return self._pooled[layer]

    def features(self, layers: tuple[int, ...], name: str = "features") -> str:
        """Concatenated :meth:`pooled` of ``layers``: ``[batch, len(layers) * hidden]``."""
        return self.node("Concat", [self.pooled(layer) for layer in layers], name, axis=1)

    # -- the whole ----------------------------------------------------------------------------------------------------

    def model(self) -> Any:
        """The ``ModelProto``; call after the outputs are declared."""
        tensor = self._onnx.TensorProto
        helper = self._onnx.helper
        inputs = [helper.make_tensor_value_info(name, tensor.INT64, ["batch", "sequence"]) for name in ("input_ids", "attention_mask")]
        graph = helper.make_graph(self._nodes, "bellwether", inputs, self._outputs, self._initializers)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="bellwether")
