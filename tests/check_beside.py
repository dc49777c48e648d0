#!/usr/bin/env python3
"""peers/beside.py with peers made here: one that computes what tare does, one that does not, one that dies, one for
which the net means nothing.

    check_beside.py SOURCE BUILD

They are of the standard library, so that no framework is needed; their speed is not looked at.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PEER = '''
import array, json, os, struct, sys, time
path, data, threads, mode = sys.argv[1:5]
if mode == "idle":
    print(json.dumps({"idle": "nothing to do"}), flush=True)
    sys.exit()
net = json.load(open(path))
stored = open(path[:-5] + ".safetensors", "rb").read()
n = struct.unpack("<Q", stored[:8])[0]
header = json.loads(stored[8:8 + n])
def floats(name):
    a, b = header[name]["data_offsets"]
    return array.array("f", stored[8 + n + a:8 + n + b])
weights = [floats(p["name"]) for p in net["parameters"]]
raw = open(data, "rb").read()
x = array.array("f", raw[10 + struct.unpack("<H", raw[8:10])[0]:])
def forward():
    v = {i: w for i, w in enumerate(weights)}
    v[len(weights)] = x
    for at, node in enumerate(net["programs"]["both"]["nodes"], len(weights) + 1):
        if node["op"] == "dense":
            a, w, b = (v[i] for i in node["in"])
            v[at] = [sum(p * q for p, q in zip(a, w[j * len(a):])) + b[j] for j in range(len(b))]
        else:
            v[at] = [max(0.0, u) for u in v[node["in"][0]]]
    y = v[net["programs"]["both"]["results"][0]]
    return [u + 0.01 for u in y] if mode == "wrong" else y
print("a word of a framework's")
print(json.dumps({"ready": True, "version": "fake 1"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "outputs" in asked:
        y = array.array("f", forward())
        h = repr({"descr": "<f4", "fortran_order": False, "shape": (1, len(y))}).encode().ljust(117) + b"\\n"
        open(asked["outputs"], "wb").write(b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(h)) + h + y.tobytes())
        print("{}", flush=True)
    elif mode == "dies":
        sys.exit("its last word")
    else:
        print(json.dumps({"ms": [1.5, 2.0, 2.5]}), flush=True)
'''


def run(folder, build, *words):
    return subprocess.run([sys.executable, folder / "beside.py", "chain:depth=2", "--tare", build / "tare", "--rounds", "2",
                           "--seconds", "0.3", "--arms", "symbol", *words], capture_output=True, text=True)


def running(script):
    """Processes with that script on their command line."""
    found = []
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(script).encode() in file.read_bytes():
                found.append(file.parent.name)
        except OSError:
            pass  # it has ended meanwhile
    return found


def main():
    source, build = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copy(source / "peers" / "beside.py", folder)
        (folder / "fake_peer.py").write_text(PEER)
        fake = f"fake={sys.executable}"

        good = run(folder, build, "--peer", f"{fake}:right,idle", "--json", folder / "peers.jsonl")
        assert good.returncode == 0, good.stderr
        assert "fake right" in good.stdout and "idle" not in good.stdout, good.stdout
        lines = [json.loads(line) for line in open(folder / "peers.jsonl", encoding="utf-8")]
        names = sorted(line["name"] for line in lines)
        assert len(names) == 2 and names[0] == "fake 1" and re.fullmatch(r"tare [0-9.]+ symbol", names[1]), lines
        peer = next(line for line in lines if line["name"] == "fake 1")
        assert peer["net"] == "chain:depth=2,width=16" and peer["batch"] == 1 and peer["threads"] == 1 and peer["ms"] == 2.0
        assert peer["least_ms"] == 1.5 and peer["ci95"][0] <= peer["ratio"] <= peer["ci95"][1]

        vs = subprocess.run([build / "tare", "explain", "chain:depth=2", "--time", "1", "--quiet", "--vs",
                             folder / "peers.jsonl"], capture_output=True, text=True)
        assert vs.returncode in (0, 3) and "fake 1" in vs.stdout, vs.stdout + vs.stderr

        bad = run(folder, build, "--peer", f"{fake}:right,wrong,dies")
        assert bad.returncode == 1, bad.stdout
        assert "fake right" in bad.stdout and "fake wrong" not in bad.stdout and "fake dies" not in bad.stdout, bad.stdout
        assert "fake wrong: computes something else than tare" in bad.stderr, bad.stderr
        assert "fake dies: ended with 1: its last word" in bad.stderr, bad.stderr

        for enough, shown in (("round 1 ", False), ("round 3 ", True)):  # whole rounds are shown
            slow = subprocess.Popen([sys.executable, folder / "beside.py", "chain:depth=2", "--tare", build / "tare",
                                     "--arms", "symbol", "--rounds", "1000", "--seconds", "0.3", "--peer", f"{fake}:right"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            seen = ""
            while enough not in seen:
                seen += slow.stderr.read(1)
            left = running(folder / "fake_peer.py")
            slow.terminate()
            out = slow.communicate()[0]
            assert slow.returncode == 128 + 15, slow.returncode
            assert left and not running(folder / "fake_peer.py"), left
            assert ("2 rounds; ratios" in out and "fake right" in out) == shown, out

        for words, said in [(["--peer", "absent=python3"], "need NAME=PYTHON"), (["--rounds", "0"], "above 0"),
                            (["--tare", folder / "none"], "none")]:
            refused = run(folder, build, *words)
            assert refused.returncode in (1, 2) and said in refused.stderr, refused.stderr
            assert "Traceback" not in refused.stderr, refused.stderr
        unknown = subprocess.run([sys.executable, folder / "beside.py", "no_net", "--tare", build / "tare"],
                                 capture_output=True, text=True)
        assert unknown.returncode == 1 and "no_net" in unknown.stderr and "Traceback" not in unknown.stderr, unknown.stderr
    print("beside.py: peers compared, refused and told as promised")


if __name__ == "__main__":
    main()
