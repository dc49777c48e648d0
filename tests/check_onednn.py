#!/usr/bin/env python3
"""oneDNN's kernels through the command: all rungs agree in each layout and at each number of threads, what follows from
the records holds for their kernels, nothing is looked up or allocated where a plan is replayed, what they do not take
falls back visibly, results say which oneDNN it was. Where it was not built, and where the plug-in is not beside the
library, one line says so."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(sys.argv[2])
LAYOUTS = ("plain", "blocked")
OPERATORS = ("conv2d conv2d_grad_data conv2d_grad_weight dense matmul matmul_add avg_pool2d avg_pool2d_grad batch_norm "
             "batch_norm_inference batch_norm_grad relu").split()


def tare(*words, command=BUILD / "tare", wanted=0):
    run = subprocess.run([command, *words], capture_output=True, text=True, errors="replace", check=False)
    line = "tare " + " ".join(words)
    assert run.returncode == wanted, f"{line}: exit code {run.returncode}, not {wanted}\n{run.stdout}{run.stderr}"
    return run.stdout + run.stderr


def records(*words):
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        tare(*words, "--json", file.name)
        return [json.loads(line) for line in open(file.name, encoding="utf-8")]


def check_absent(command):
    said = tare("agree", "lenet", "--kernels", "onednn", command=command, wanted=2)
    assert "libtare_onednn.so is not there: built without it" in said and said.count("\n") == 1, said


def check_elsewhere():
    """The command and its library without the plug-in beside them."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copy(BUILD / "tare", folder)
        (folder / "lib").mkdir()
        for file in BUILD.glob("libtare.so*"):
            shutil.copy(file, folder / "lib")
        command = folder / "run"
        command.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={folder}/lib exec {folder}/tare "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        check_absent(command)


def check_rungs():
    for layout in LAYOUTS:
        for net, modes, steps in (("lenet", "all", "2"), ("cifarnet", "functional,step", "1")):
            found = [r for r in records("agree", net, "--batch", "2", "--steps", steps, "--modes", modes, "--kernels",
                                        "onednn", "--factor", f"layout={layout}", "--threads", "1,2")
                     if r["kind"] == "agree"]
            assert len(found) >= (4 if net == "cifarnet" else 20) and all(r["verdict"] == "agrees" for r in found), found
            assert all(r["libraries"]["onednn"].startswith("oneDNN ") for r in found), found[0]["libraries"]
            assert len({r["calls_digest"] for r in found}) == 1, "the kernels depend on the rung or on threads"


def counted(arm):
    return next(r["counts"] for r in records("count", "lenet", "--modes", "step", "--arm", f"a={arm}") if r["arm"] == "a")


def check_counts():
    native, plain, blocked = (counted(f"functional,{k}") for k in
                              ("kernels=native", "kernels=onednn", "kernels=onednn,layout=blocked"))
    assert native["primitives"] == native["reorders"] == plain["reorders"] == 0, (native, plain)
    assert plain["primitives"] > 0 and blocked["reorders"] > 0, (plain, blocked)
    bound = counted("step,kernels=onednn,layout=blocked")
    assert bound["primitives"] == bound["allocations"] == bound["storage_takes"] == 0, bound
    assert bound["reorders"] == blocked["reorders"], (bound, blocked)


def check_fallback():
    """What oneDNN is not asked for runs on our own kernels, and is seen to."""
    said = tare("step", "lenet", "--arms", "functional,symbol", "--factor", "kernels=onednn")
    assert re.search(r"kernel +conv2d +conv0 +onednn", said) and re.search(r"kernel +max_pool2d +pool0 +(avx|port)", said), said


def check_refusals():
    assert "means nothing here" in tare("agree", "lenet", "--factor", "layout=blocked", wanted=2)
    assert "means nothing here" in tare("check", "relu", "--layout", "blocked", wanted=2)
    assert "need native or onednn" in tare("check", "relu", "--kernels", "other", wanted=2)
    assert "need plain or blocked" in tare("check", "relu", "--kernels", "onednn", "--layout", "other", wanted=2)


def main():
    if not (BUILD / "libtare_onednn.so").exists():
        check_absent(BUILD / "tare")
        print("built without oneDNN: it is refused")
        return
    check_elsewhere()
    check_refusals()
    check_rungs()
    check_counts()
    check_fallback()
    for layout in LAYOUTS:
        tare("check", *OPERATORS, "--kernels", "onednn", "--layout", layout, "--quiet")
    assert "oneDNN " in tare("--version")


main()
