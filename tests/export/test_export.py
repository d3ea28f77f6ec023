"""Exports give the numbers of the model itself, wherever they are read; imports bring them back."""

import json
import pickle
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charrnn import CheckpointError, Model, score, train
from charrnn.checkpoint.header import Origin
from charrnn.errors import ConfigError, CorpusError
from charrnn.export import export, html, metadata, suffix
from charrnn.export.import_ import import_weights, read_characters
from charrnn.generate.seen import seen_pieces
from tests.export.models import SHAPES, make_model
from tests.support import call, fails_in

TEXT = "the cab, é 日👩\u200d👧b\u0301 <&\nbad cab\n"
every_shape = pytest.mark.parametrize("shape", SHAPES)


def own_nats(shape: str) -> Any:
    model = make_model(shape)
    nats = score(model.network(), model.vocabulary.encode(TEXT)).nats_per_char
    return pytest.approx(nats, abs=1e-4)


@pytest.mark.parametrize("form", ["safetensors", "onnx", "html"])
@every_shape
def test_what_is_exported_is_imported_as_the_same_model(
    form: str, shape: str, tmp_path: Path
) -> None:
    if form == "onnx":
        pytest.importorskip("onnx", reason="an extra: pip install '.[onnx]'")
    before = make_model(shape, lines=True, ngram=form == "html", normalize="NFKC")
    before.origin = Origin((), 0, 0, None, longest=1234)
    before.vocabulary.counts[:] = range(1, len(before.vocabulary) + 1)
    if form == "html":
        ids = before.vocabulary.encode("\ncab\nbad\n")
        before.seen_pieces = seen_pieces(ids, before.vocabulary)
    path = tmp_path / f"m{suffix(form)}"
    path.write_bytes(export(before, form))
    import_weights(path).save(tmp_path / "again.npz")
    after = Model.load(tmp_path / "again.npz")
    # Only a page has n-grams and ensembles: elsewhere, one network makes the same predictions.
    expected = before if form == "html" else before.merged()
    assert (after.config, after.longest) == (expected.config, 1234)
    assert after.vocabulary == before.vocabulary
    assert after.vocabulary.counts.tolist() == before.vocabulary.counts.tolist()
    for name, array in expected.weights.items():
        np.testing.assert_array_equal(after.weights[name], array, err_msg=name)
    np.testing.assert_array_equal(after.seen_pieces, before.seen_pieces)
    assert after.score("cab\nbad").nats == pytest.approx(before.score("cab\nbad").nats)


@every_shape
def test_pytorch_finds_the_same_likelihood(shape: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="an extra: pip install '.[test-torch]'")
    library = pytest.importorskip("safetensors.torch", reason="as above")
    ours, path = make_model(shape).merged(), tmp_path / "m.safetensors"
    path.write_bytes(export(ours, "safetensors"))
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0  # the numbers are aligned
    model, V = ours.config.model, len(ours.vocabulary)
    relu = {"nonlinearity": model.nonlinearity} if model.cell == "rnn" else {}
    rnn = getattr(torch.nn, model.cell.upper())(V, model.hidden_size, model.layers, **relu)
    net = torch.nn.ModuleDict({"rnn": rnn, "output": torch.nn.Linear(model.hidden_size, V)})
    net.load_state_dict(library.load_file(path))
    ids = torch.tensor(ours.vocabulary.encode(TEXT).astype(np.int64))
    outputs, _ = net["rnn"](torch.nn.functional.one_hot(ids[:-1], V).float())
    assert torch.nn.functional.cross_entropy(net["output"](outputs), ids[1:]).item() == own_nats(
        shape
    )
    with library.safe_open(path, "pt") as file:
        assert file.metadata() == metadata(ours)
    # and what PyTorch saves is read
    half = {name: array.to(torch.bfloat16) for name, array in net.state_dict().items()}
    library.save_file(half, path, metadata=metadata(ours))
    for name, array in import_weights(path).weights.items():
        np.testing.assert_allclose(array, ours.weights[name], rtol=2**-8)


@every_shape
def test_onnxruntime_finds_the_same_likelihood_in_parts(shape: str) -> None:
    pytest.importorskip("onnx", reason="an extra: pip install '.[onnx]'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="an extra: '.[test-torch]'")
    ours = make_model(shape).merged()
    session = onnxruntime.InferenceSession(export(ours, "onnx"), providers=["CPUExecutionProvider"])
    ids, model = ours.vocabulary.encode(TEXT).astype(np.int64), ours.config.model
    zero = np.zeros((model.layers, 1, model.hidden_size), np.float32)
    start = {entry.name: zero for entry in session.get_inputs()[1:]}
    state, steps = start, []
    for part in np.split(ids[:-1, None], [1, 2, 9]):
        logits, *after = session.run(None, {"ids": part, **state})
        steps.append(logits[:, 0])
        state = dict(zip(start, after, strict=True))
    whole = np.concatenate(steps)
    log_p = whole - np.log(np.exp(whole).sum(axis=-1, keepdims=True))
    assert -log_p[np.arange(len(log_p)), ids[1:]].mean() == own_nats(shape)


def imported(folder: Path, change: dict[str, Any]) -> tuple[dict[str, Any], Model]:
    """Return weights as a stranger would save them, but for a change, and what is made of them."""
    shapes = {"lstm.weight_ih_l0": (20, 3), "lstm.weight_hh_l0": (20, 5), "lstm.bias_ih_l0": (20,),
              "lstm.bias_hh_l0": (20,), "fc.weight": (3, 5), "fc.bias": (3,)}  # fmt: skip
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()} | change
    arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez(folder / "w.npz", **arrays)
    return arrays, import_weights(folder / "w.npz", characters="cab")


def test_the_weights_of_a_stranger_find_their_places(tmp_path: Path) -> None:
    order, numbers = [1, 2, 0], np.random.default_rng(1).standard_normal((23, 5))
    # An embedding, as large as the last layer, is multiplied into the input weights.
    embedding = {"encoder.weight": numbers[20:], "lstm.weight_ih_l0": numbers[:20]}
    # There may be no biases, and fewer digits.
    half = {"lstm.bias_ih_l0": None, "fc.bias": None, "fc.weight": numbers[:3].astype("f2")}
    for change in ({}, embedding, half):
        theirs, ours = imported(tmp_path, change)
        inputs = theirs["lstm.weight_ih_l0"] @ theirs.get("encoder.weight", np.eye(3)).T
        assert (ours.vocabulary.characters, ours.config.model.dtype) == ("abc", "float64")
        for name, array in (
            ("weight_ih_l0", inputs[:, order]),
            ("bias_ih_l0", theirs.get("lstm.bias_ih_l0", np.zeros(20))),
            ("output.weight", theirs["fc.weight"][order]),
            ("output.bias", theirs.get("fc.bias", np.zeros(3))[order]),
        ):
            np.testing.assert_allclose(ours.weights[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"lstm.weight_ih_l0": None}, "no recurrent layers"),
        ({"lstm.weight_ih_l0_reverse": np.zeros((20, 3))}, "no place here: lstm.weight_ih_l0_rev"),
        ({"lstm.weight_hh_l0": np.zeros((10, 5))}, "not an RNN, GRU or LSTM"),
        ({"fc.weight": None}, "0 linear layers"),
        ({"lstm.weight_ih_l0": np.zeros((20, 9))}, "0 embeddings"),
        ({"fc.bias": np.full(3, np.nan)}, "not finite"),
        ({"lstm.bias_ih_l0": np.zeros(3)}, "has the shape"),
        ({"fc.bias": np.zeros(9)}, "output.bias has the shape"),
        ({"token": np.zeros((3, 3))}, "no place here: token"),
        ({"fc.bias": np.zeros(3, np.int8)}, "no floating-point"),
        ({"lstm.weight_hh_l0": np.zeros((4, 0))}, r"w\.npz: "),
        ({"fc.bias": np.array([1, 2, 3], object)}, "Object arrays cannot be loaded"),
    ],
)
def test_weights_that_are_no_such_model_are_refused(
    change: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        imported(tmp_path, change)[1].save(tmp_path / "m.npz")


def test_metadata_that_lies_is_refused(tmp_path: Path) -> None:
    data = export(make_model("lstm", lines=True), "safetensors")
    start = 8 + int.from_bytes(data[:8], "little")
    for name, lies in (
        ("counts", ["[-1]", "[" * 100_000, "[1e999]", "{}"]),
        ("config", ["{}", "["]),
        ("characters", ["aa", "", "".join(map(chr, range(100, 146)))]),  # as many, but no "\n"
    ):
        for lie in lies:
            header = json.loads(data[8:start])
            header["__metadata__"][name] = lie
            text = json.dumps(header).encode()
            (tmp_path / "m").write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
            with pytest.raises(CheckpointError, match="/m: "):
                import_weights(tmp_path / "m")


def test_what_cannot_be_imported_says_what_to_do(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "new.pt", "w") as archive:
        archive.writestr("new/data.pkl", pickle.dumps({"a": 1}))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weight_ih_l0.npy", bytes(200_000_000))
    make_model().save(tmp_path / "m.npz")
    (tmp_path / "cut.html").write_bytes(export(make_model(), "html")[:9000])
    (tmp_path / "bytes.html").write_bytes(b"<!doctype\xff")
    tracemalloc.start()
    for name, complaint, hint in (
        ("new.pt", "not a .safetensors", "safetensors.torch.save_file"),
        ("bomb.npz", "would unpack to 200,000,000 bytes", ""),
        ("m.npz", "is a checkpoint already", "sample"),
        ("cut.html", "not a page that charrnn has made", ""),
        ("bytes.html", "can't decode byte 0xff in position 9", ""),
        ("none", "cannot be read: No such file", ""),
    ):
        with pytest.raises(CheckpointError, match=complaint) as caught:
            import_weights(tmp_path / name)
        assert hint in (caught.value.hint or "")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_vocabulary_is_a_list_an_object_or_the_text(tmp_path: Path) -> None:
    for name, content, expected in (
        ("list.json", '["b", "a", "é"]', "baé"),
        ("object.json", '{"a": 1, "b": 0, "é": 2}', "baé"),
        ("text.txt", "banané", "abné"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        assert "".join(read_characters(str(tmp_path / name))) == expected
    for bad in ('["ab"]', '["a", "a"]', "3", "[]", '{"a": 5}', "{", "[1]"):
        (tmp_path / "bad.json").write_text(bad)
        with pytest.raises(CorpusError, match=r"bad\.json"):
            read_characters(str(tmp_path / "bad.json"))


def test_the_commands_take_a_model_out_and_in_again(tmp_path: Path) -> None:
    make_model("lstm").save(tmp_path / "m.npz")
    for words in ("export m.npz --to html", "import m.html -o again.npz"):
        call(*words.split(), cwd=tmp_path)
        fails_in(1, "exists already", *words.split(), cwd=tmp_path)
    one, again = (
        call(*f"sample -c {name} -n 50 --random-seed 1".split(), cwd=tmp_path).stdout
        for name in ("m.npz", "again.npz")
    )
    assert one == again
    piped = call("export", "m.npz", "--to", "html", "--title", "M", "-o", "-", cwd=tmp_path).stdout
    assert (tmp_path / "m.html").read_bytes() == piped
    imported(tmp_path, {})
    fails_in(1, "which characters", "import", "w.npz", cwd=tmp_path)
    (tmp_path / "v.json").write_text('["c", "a", "b"]')
    words = "import w.npz --vocab v.json --nonlinearity relu -o x.npz"
    fails_in(2, "--nonlinearity relu does not fit", *words.split(), cwd=tmp_path)


def test_an_export_says_what_it_leaves_out(tmp_path: Path) -> None:
    text = "le moulin tourne et la roue du moulin tourne avec lui\n" * 200
    model = train(text=text, steps=4, hidden_size=8, random_seed=1, base="none")
    model.save(tmp_path / "m.npz")
    said = call("export", "m.npz", "--to", "compact", cwd=tmp_path).err
    assert "compact has the network alone" in said
    assert "nats per character worse" in said
    compact = Model.load(tmp_path / "m.compact.npz")
    assert (compact.ngram, compact.seen_spans, compact.resume) == (None, None, {})
    assert model.seen_spans is not None
    assert "alone" not in call("export", "m.npz", "--to", "html", cwd=tmp_path).err  # has them


def test_weights_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model("lstm")
    large = replace(model, weights=model.weights | {"output.bias": np.full(46, 1e6)})
    for form, options in (("compact", {}), ("html", {"half": True})):
        with pytest.raises(ConfigError, match="too large for half precision"):
            export(large, form, **options)
    monkeypatch.setattr(html, "MAX_BYTES", 30_000)
    with pytest.raises(ConfigError, match="0 MB of weights are too much") as caught:
        export(model, "html")
    assert "--half halves them" in (caught.value.hint or "")
    assert export(model, "html", half=True)
