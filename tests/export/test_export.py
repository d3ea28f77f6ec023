"""Exports give the numbers of the model itself, wherever they are read; imports bring them back."""

import json
import shutil
import subprocess
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from charrnn import (
    CheckpointError,
    Config,
    DataConfig,
    Model,
    ModelConfig,
    SamplingConfig,
    Vocabulary,
    generate,
    score,
)
from charrnn.errors import ConfigError, CorpusError
from charrnn.export import export
from charrnn.export.html import MAX_BYTES
from charrnn.export.naming import metadata, torch_names
from charrnn.export.page.model import weight_bytes
from charrnn.export.torch_import import import_weights, read_characters
from charrnn.inference.sampling import start_ids
from charrnn.training.next_character import initial_state
from tests.support import fails, ok

TEXT = "Tyger Tyger, </script> burning bright, In the forests of the night; été 👩‍👩‍👧\n"
SHAPES: dict[str, dict[str, Any]] = {
    "rnn": {"cell": "rnn"},
    "rnn-relu-2": {"cell": "rnn", "nonlinearity": "relu", "layers": 2},
    "gru-2": {"cell": "gru", "layers": 2},
    "lstm": {"cell": "lstm"},
    "lstm-3": {"cell": "lstm", "layers": 3},
}
every_shape = pytest.mark.parametrize("shape", SHAPES)


def checkpoint(shape: str) -> Model:
    vocabulary = Vocabulary.from_text(TEXT)
    config = Config(model=ModelConfig(hidden_size=12, **SHAPES[shape]))
    state = initial_state(config, len(vocabulary))
    if config.model.nonlinearity == "tanh":  # relu has no bound
        state.network.flat *= 3  # away from zero, where all cells are alike
    return Model.of(config, vocabulary, state)


def own_nats(model: Model) -> float:
    return score(model.network(), model.vocabulary.encode(TEXT)).nats_per_char


@every_shape
def test_torch_names_come_back_as_the_same_model(shape: str, tmp_path: Path) -> None:
    before, path = checkpoint(shape), tmp_path / "m.npz"
    path.write_bytes(export(before, "torch-names"))
    with np.load(path) as file:
        assert "rnn.weight_hh_l0" in file
        assert json.loads(file["metadata"].tobytes())["characters"] == before.vocabulary.characters
    after = import_weights(path)
    assert after.config.model == before.config.model
    assert after.vocabulary == before.vocabulary
    np.testing.assert_array_equal(after.network().flat, before.network().flat)
    after.save(tmp_path / "again.npz")
    assert own_nats(Model.load(tmp_path / "again.npz")) == own_nats(before)


@every_shape
def test_safetensors_come_back_as_the_same_model(shape: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="an extra: pip install '.[safetensors]'")
    before, path = checkpoint(shape), tmp_path / "m.safetensors"
    path.write_bytes(export(before, "safetensors"))
    after = import_weights(path)
    assert after.config.model == before.config.model
    np.testing.assert_array_equal(after.network().flat, before.network().flat)


@every_shape
def test_pytorch_finds_the_same_likelihood(shape: str) -> None:
    torch = pytest.importorskip("torch", reason="an extra: pip install '.[test-torch]'")
    ours = checkpoint(shape)
    described = json.loads(metadata(ours)["config"])["model"]
    V, H, L = len(ours.vocabulary), described["hidden_size"], described["layers"]
    kind = getattr(torch.nn, described["cell"].upper())
    relu = {"nonlinearity": described["nonlinearity"]} if described["cell"] == "rnn" else {}
    net = torch.nn.ModuleDict({"rnn": kind(V, H, L, **relu), "output": torch.nn.Linear(H, V)})
    weights = {
        name if name.startswith("output.") else f"rnn.{name}": torch.from_numpy(array.copy())
        for name, array in ours.weights.items()
    }
    net.load_state_dict(weights)
    ids = torch.tensor(ours.vocabulary.encode(TEXT).astype(np.int64))
    with torch.no_grad():
        outputs, _ = net["rnn"](torch.nn.functional.one_hot(ids[:-1], V).float())
        nats = torch.nn.functional.cross_entropy(net["output"](outputs), ids[1:])
    assert float(nats) == pytest.approx(own_nats(ours), abs=1e-4)


@every_shape
def test_onnxruntime_finds_the_same_likelihood_step_by_step(shape: str) -> None:
    pytest.importorskip("onnx", reason="an extra: pip install '.[onnx]'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="an extra: '.[test-torch]'")
    ours = checkpoint(shape)
    session = onnxruntime.InferenceSession(export(ours, "onnx"), providers=["CPUExecutionProvider"])
    states = [entry.name for entry in session.get_inputs()][1:]
    ids, model = ours.vocabulary.encode(TEXT).astype(np.int64), ours.config.model
    zero = {name: np.zeros((model.layers, 1, model.hidden_size), np.float32) for name in states}

    def logits_of(part: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        logits, *after = session.run(None, {"ids": part[:, None], **state})
        return logits[:, 0], dict(zip(states, after, strict=True))

    whole, _ = logits_of(ids[:-1], zero)
    state, steps = zero, []
    for one in ids[:-1]:
        logits, state = logits_of(np.array([one]), state)
        steps.append(logits[0])
    np.testing.assert_allclose(np.stack(steps), whole, atol=1e-5)
    log_p = whole - np.log(np.exp(whole).sum(axis=-1, keepdims=True))
    nats = -log_p[np.arange(len(log_p)), ids[1:]].mean()
    assert float(nats) == pytest.approx(own_nats(ours), abs=1e-4)
    properties = session.get_modelmeta().custom_metadata_map
    assert properties["characters"] == ours.vocabulary.characters


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@every_shape
def test_a_browser_finds_the_same_likelihood_and_writes(shape: str, tmp_path: Path) -> None:
    ours, page = checkpoint(shape), tmp_path / "m.html"
    probe = """<script>
      const writer = charrnn.write("", 0), written = [];
      while (written.length < 5) written.push(writer.next().value);
      document.title = encodeURIComponent(JSON.stringify([charrnn.score(TEXT), written]));
    </script>""".replace("TEXT", json.dumps(TEXT).replace("<", "\\u003c"))
    page.write_bytes(export(ours, "html") + probe.encode())
    dom = subprocess.run(
        [CHROMIUM or "", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        check=True, capture_output=True, text=True, encoding="utf-8", timeout=120,
    ).stdout  # fmt: skip
    title = dom.partition("<title>")[2].partition("</title>")[0]
    nats, written = json.loads(unquote(title))
    assert nats == pytest.approx(own_nats(ours), abs=1e-4)
    greedy = generate(ours.network(), start_ids(ours.vocabulary), SamplingConfig(temperature=0),
                      random_seed=0)  # fmt: skip
    assert written == [ours.vocabulary.characters[s.ids[0]] for s in islice(greedy, 5)]


def test_a_page_needs_no_network_and_no_text_of_the_model_ends_its_script() -> None:
    page = export(checkpoint("lstm"), "html").decode()
    assert "http" not in page.replace("http-equiv", "")
    assert "/*MODEL*/" not in page
    assert page.count("<script") == 1
    assert page.count("</script") == 1


def test_a_model_too_large_for_a_page_is_refused() -> None:
    vocabulary = Vocabulary("ab")
    config = Config(model=ModelConfig(hidden_size=1200))
    large = Model.of(config, vocabulary, initial_state(config, 2))
    with pytest.raises(ConfigError, match="MB of weights"):
        export(large, "html")
    assert weight_bytes(large, half=True) < MAX_BYTES  # as the hint says


def foreign(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Return weights as a stranger would save them, with something changed."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "lstm.weight_ih_l0": rng.standard_normal((20, 3)),
        "lstm.weight_hh_l0": rng.standard_normal((20, 5)),
        "lstm.bias_ih_l0": rng.standard_normal(20),
        "lstm.bias_hh_l0": rng.standard_normal(20),
        "fc.weight": rng.standard_normal((3, 5)),
        "fc.bias": rng.standard_normal(3),
    }
    change(arrays)
    return arrays


def imported(tmp_path: Path, arrays: dict[str, Any], characters: list[str]) -> Model:
    np.savez(tmp_path / "w.npz", **arrays)
    return import_weights(tmp_path / "w.npz", characters=characters)


def test_a_vocabulary_in_any_order_finds_its_weights(tmp_path: Path) -> None:
    arrays = foreign(dict)
    ours = imported(tmp_path, arrays, ["c", "a", "b"])
    assert ours.vocabulary.characters == "abc"
    assert ours.config.model.dtype == "float64"
    np.testing.assert_array_equal(
        ours.weights["weight_ih_l0"], arrays["lstm.weight_ih_l0"][:, [1, 2, 0]]
    )
    np.testing.assert_array_equal(ours.weights["output.weight"], arrays["fc.weight"][[1, 2, 0]])
    np.testing.assert_array_equal(ours.weights["output.bias"], arrays["fc.bias"][[1, 2, 0]])


def test_an_embedding_is_multiplied_into_the_input_weights(tmp_path: Path) -> None:
    table = np.random.default_rng(1).standard_normal((3, 7))
    inner = np.random.default_rng(2).standard_normal((20, 7))
    arrays = foreign(lambda a: a.update({"encoder.weight": table, "lstm.weight_ih_l0": inner}))
    ours = imported(tmp_path, arrays, ["a", "b", "c"])
    for number in range(3):
        np.testing.assert_allclose(ours.weights["weight_ih_l0"][:, number], inner @ table[number])


def test_layers_without_biases_and_in_float16_are_taken(tmp_path: Path) -> None:
    arrays = foreign(lambda a: [a.pop(n) for n in ("lstm.bias_ih_l0", "lstm.bias_hh_l0")])
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    ours = imported(tmp_path, half, ["a", "b", "c"])
    assert not ours.weights["bias_ih_l0"].any()
    np.testing.assert_array_equal(ours.weights["output.weight"], half["fc.weight"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda a: a.pop("lstm.weight_ih_l0"), "no recurrent layers"),
        (lambda a: a.update({"lstm.weight_ih_l0_reverse": np.zeros((20, 3))}), "both directions"),
        (lambda a: a.update({"lstm.weight_hh_l0": np.zeros((10, 5))}), "no RNN, GRU or LSTM"),
        (lambda a: a.pop("fc.weight"), "0 linear layers"),
        (lambda a: a.update({"lstm.weight_ih_l0": np.zeros((20, 9))}), "no embedding"),
        (lambda a: a.update({"fc.bias": np.full(3, np.nan)}), "not finite"),
        (lambda a: a.update({"lstm.bias_ih_l0": np.zeros(3)}), "has the shape"),
        (lambda a: a.update({"header": np.zeros(3)}), "neither a safetensors nor"),
        (lambda a: a.update({"fc.bias": np.zeros(9)}), "bias has the shape"),
        (lambda a: a.update({"norm.weight": np.zeros(5)}), "no place here: norm.weight"),
        (lambda a: a.update({"token": np.zeros((3, 3))}), "no place here: token"),
        (lambda a: a.update({"fc.bias": np.zeros(3, complex)}), "no floating-point"),
        (lambda a: a.update({"lstm.weight_hh_l0": np.zeros((4, 0))}), "no matrix"),
        (
            lambda a: a.update(
                {
                    "lstm.weight_hh_l0": a["lstm.weight_hh_l0"].astype("f4"),
                    "fc.bias": np.full(3, 1e300),
                }
            ),
            "not finite",
        ),
    ],
)
def test_weights_that_are_no_such_model_are_refused(
    change: Callable[[dict[str, Any]], Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        imported(tmp_path, foreign(change), ["a", "b", "c"])


def as_bytes(text: bytes) -> Any:
    return np.frombuffer(text, np.uint8)


def test_lies_in_the_metadata_do_no_harm(tmp_path: Path) -> None:
    base = metadata(checkpoint("rnn"))
    arrays = {f"rnn.{n}" if n[0] != "o" else n: a for n, a in checkpoint("rnn").weights.items()}
    for change in (
        {"counts": "[-1]"}, {"counts": "[" * 100_000}, {"counts": "[1e999]"}, {"counts": "{}"},
    ):  # fmt: skip
        text = json.dumps(base | change).encode()
        np.savez(tmp_path / "w.npz", allow_pickle=False, metadata=as_bytes(text), **arrays)
        ours = import_weights(tmp_path / "w.npz")
        ours.save(tmp_path / "m.npz")
        assert not Model.load(tmp_path / "m.npz").vocabulary.counts.any()
    for change in ({"config": "{}"}, {"config": "["}, {"characters": "aa"}, {"characters": ""}):
        text = json.dumps(base | change).encode()
        np.savez(tmp_path / "w.npz", allow_pickle=False, metadata=as_bytes(text), **arrays)
        with pytest.raises(CheckpointError, match=r"w\.npz: "):
            import_weights(tmp_path / "w.npz")
    (tmp_path / "w.npz").write_bytes(b"junk that is longer than eight bytes")
    with pytest.raises(CheckpointError, match="neither a safetensors nor"):
        import_weights(tmp_path / "w.npz")


def test_normalization_goes_out_and_comes_in_again(tmp_path: Path) -> None:
    before = checkpoint("gru-2")
    config = replace(before.config, data=DataConfig(normalize="NFKC"))
    (tmp_path / "m.npz").write_bytes(export(replace(before, config=config), "torch-names"))
    assert import_weights(tmp_path / "m.npz").config.data.normalize == "NFKC"


def test_a_vocabulary_is_a_list_an_object_or_the_text(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('["b", "a", "é"]')
    (tmp_path / "object.json").write_text('{"a": 1, "b": 0, "é": 2}')
    (tmp_path / "text.txt").write_text("banané")
    assert read_characters(str(tmp_path / "list.json")) == ["b", "a", "é"]
    assert read_characters(str(tmp_path / "object.json")) == ["b", "a", "é"]
    assert read_characters(str(tmp_path / "text.txt")) == ["a", "b", "n", "é"]
    for bad in ('["ab"]', '["a", "a"]', "3", "[]", '{"a": 5}', "{"):
        (tmp_path / "bad.json").write_text(bad)
        with pytest.raises(CorpusError, match=r"bad\.json"):
            read_characters(str(tmp_path / "bad.json"))


def test_the_commands_take_a_model_out_and_in_again(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(TEXT * 3, encoding="utf-8")
    train = ["train", "t.txt", "-o", "m.npz", "--steps", "3", "--hidden-size", "8"]
    ok(*train, "--no-ngram", cwd=tmp_path)
    ok("export", "m.npz", "--to", "torch-names", cwd=tmp_path)
    ok("import", "m.torch.npz", "-o", "again.npz", cwd=tmp_path)
    sample = ["-n", "50", "--random-seed", "1"]
    one, other = (ok("sample", "-c", name, *sample, cwd=tmp_path).out
                  for name in ("m.npz", "again.npz"))  # fmt: skip
    assert one == other
    piped = ok("export", "m.npz", "--to", "html", "-o", "-", cwd=tmp_path)
    ok("export", "m.npz", "--to", "html", cwd=tmp_path)
    assert (tmp_path / "m.html").read_bytes() == piped.stdout
    fails(1, "exists already", "export", "m.npz", "--to", "html", cwd=tmp_path)
    fails(1, "exists already", "import", "m.torch.npz", "-o", "again.npz", cwd=tmp_path)
    (tmp_path / "junk").write_bytes(b"junk")
    fails(1, "which characters", "import", "w.npz", cwd=stranger(tmp_path))
    ok("import", "w.npz", "--vocab", "v.json", "-o", "w2.npz", cwd=tmp_path)
    ok("train", "abc.txt", "--from", "w2.npz", "-o", "w3.npz", "--steps", "1", cwd=tmp_path)
    # what the weights cannot have is refused, not passed over
    for name, options in (("m.torch.npz", []), ("w.npz", ["--vocab", "v.json"])):
        fails(2, "--nonlinearity relu does not fit", "import", name, *options, "--nonlinearity",
              "relu", "-o", "x.npz", cwd=tmp_path)  # fmt: skip


def stranger(folder: Path) -> Path:
    np.savez(folder / "w.npz", **foreign(dict))
    (folder / "v.json").write_text('["c", "a", "b"]')
    (folder / "abc.txt").write_text("abcab" * 30)
    return folder


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(ConfigError, match="needs the package safetensors") as caught:
        export(checkpoint("rnn"), "safetensors")
    assert caught.value.hint == "pip install 'charrnn[safetensors]'"


def test_a_checkpoint_that_numpy_read_and_wrote_again_is_imported(tmp_path: Path) -> None:
    before = checkpoint("lstm")
    before.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        np.savez(tmp_path / "again.npz", **dict(file))
    with pytest.raises(CheckpointError, match="is a charrnn checkpoint already"):
        import_weights(tmp_path / "m.npz")
    with pytest.raises(CheckpointError) as caught:
        Model.load(tmp_path / "again.npz")
    assert "charrnn import" in (caught.value.hint or "")
    after = import_weights(tmp_path / "again.npz")
    assert after.vocabulary == before.vocabulary
    for name, array in before.weights.items():
        np.testing.assert_array_equal(after.weights[name], array)


def test_an_archive_that_grows_without_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weight_ih_l0.npy", bytes(200_000_000))
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="200,000,000 bytes"):
        import_weights(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_bfloat16_weights_are_read(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="an extra: pip install '.[test-torch]'")
    before = checkpoint("gru-2")
    names = torch_names(before)
    arrays = {name: (np.ascontiguousarray(a).view(np.uint32) >> 16) for name, a in names.items()}
    header: dict[str, Any] = {"__metadata__": metadata(before)}
    data, at = b"", 0
    for name, upper in arrays.items():
        part = upper.astype("<u2").tobytes()
        span = [at, at + len(part)]
        header[name] = {"dtype": "BF16", "shape": [*names[name].shape], "data_offsets": span}
        data, at = data + part, at + len(part)
    text = json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    after = import_weights(tmp_path / "w.safetensors")
    for name, array in before.weights.items():
        np.testing.assert_allclose(after.weights[name], array, rtol=2**-7)
