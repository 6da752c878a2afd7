#!/usr/bin/env python3
"""Run the backend node tests of the onnx package, 1.16, on Gannet: by the operators' references and on the CPU backend.

Every test whose operators are in OPERATORS is taken; those that are not taken are listed with the reason.  --docs writes docs/onnx.md from
what was found, --check compares with what lies there.  Needs the package onnx 1.16 only.

    onnx_nodes.py BUILD_FOLDER [--docs | --check] [-v]
SPDX-License-Identifier: Apache-2.0
"""
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import onnx
import onnx.backend.test
import onnx.defs

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = pathlib.Path(onnx.backend.test.__file__).parent / "data" / "node"
OPSETS = (7, 21)

# What networks for pictures and detectors consist of.
OPERATORS = set("""
Conv ConvTranspose Gemm MatMul BatchNormalization LayerNormalization InstanceNormalization LRN
MaxPool AveragePool GlobalAveragePool GlobalMaxPool
Relu LeakyRelu PRelu Elu Clip Sigmoid HardSigmoid HardSwish Softplus Mish Gelu Tanh Erf Softmax LogSoftmax
Exp Log Sqrt Pow Abs Neg Reciprocal Floor Ceil Add Sub Mul Div Max Min Sum Mean
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare ArgMax ArgMin
Concat Split Slice Gather Reshape Flatten Squeeze Unsqueeze Transpose Shape Size Expand Tile Pad Resize Upsample
Where Equal Greater Less GreaterOrEqual LessOrEqual And Or Not Xor TopK NonMaxSuppression
QuantizeLinear DequantizeLinear Cast CastLike Constant ConstantOfShape Identity Dropout Range
""".split())

# Reasons for which a test of these operators is not taken, by the name of the test.
EXCEPTIONS = [
    (r"training_mode|training_dropout(?!_zero_ratio)", "training mode: random numbers of another generator, or statistics of the batch, which is the business of training graphs"),
    (r"_(string|STRING)|to_STRING|STRING_to", "element type string"),
    (r"FLOAT8|BFLOAT16|INT4|_e4m3fn|_e5m2|int4|uint4", "element types of 8-bit or brain floats, or 4-bit integers"),
    (r"_sequence|_opt$|optional", "sequence or optional values"),
]


def operators_of(model):
    names = set()

    def walk(graph):
        for node in graph.node:
            names.add((node.domain + "." if node.domain else "") + node.op_type)
            for a in node.attribute:
                if a.HasField("g"):
                    walk(a.g)
    walk(model.graph)
    return names


SPELLED = {"layernormalization": "LayerNormalization", "instancenorm": "InstanceNormalization", "batchnorm": "BatchNormalization",
           "greaterequal": "GreaterOrEqual", "lessequal": "LessOrEqual", "basicconv": "Conv", "splitvariable": "Split",
           "nonmaxsuppression": "NonMaxSuppression", "sce": "SoftmaxCrossEntropyLoss", "nllloss": "NegativeLogLikelihoodLoss"}
SPELLED.update({s.name.lower(): s.name for s in onnx.defs.get_all_schemas_with_history() if not s.domain})


def subject(name, names):
    """The operator that a test is about: the one that its name says, else any."""
    plain = name[len("test_"):].replace("_", "").lower()
    fits = [n for n in SPELLED if plain.startswith(n)]
    return SPELLED[max(fits, key=len)] if fits else sorted(names)[0]


def raised(model):
    """The model at opset 7 when it follows an older one and its operators did not change between; else None."""
    opset = next(o for o in model.opset_import if not o.domain)
    if opset.version >= OPSETS[0]:
        return None
    for name in operators_of(model):
        if onnx.defs.get_schema(name, OPSETS[0]).since_version > opset.version:
            return None
    opset.version = OPSETS[0]
    return model


def collect():
    taken, left = {}, {}
    for folder in sorted(TESTS.iterdir()):
        if not (folder / "model.onnx").exists():
            continue
        names = operators_of(onnx.load(folder / "model.onnx"))
        if not names & OPERATORS:
            continue
        about = subject(folder.name, names)
        others = sorted(names - OPERATORS)
        if others:
            if about in OPERATORS:
                left[folder.name] = (about, "also needs " + ", ".join(others))
            continue
        for pattern, reason in EXCEPTIONS:
            if re.search(pattern, folder.name):
                left[folder.name] = (about, reason)
                break
        else:
            taken[folder.name] = about
    return taken, left


def run(build, names):
    """Result by test: (True, how) or (False, what deviates)."""
    results = {}
    names = sorted(names)
    with tempfile.TemporaryDirectory() as copies:
        for at in range(0, len(names), 50):
            run_part(build, names[at:at + 50], pathlib.Path(copies), results)
    return results


def run_part(build, part, copies, results):
    folders = []
    for n in part:
        model = raised(onnx.load(TESTS / n / "model.onnx"))
        folders.append(TESTS / n if model is None else copies / n)
        if model is not None:
            shutil.copytree(TESTS / n, copies / n)
            onnx.save(model, copies / n / "model.onnx")
    if part:
        done = subprocess.run([str(build / "conformance" / "onnx_node_runner"), *map(str, folders)], capture_output=True, text=True, timeout=600)
        for line in done.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "ok":
                results[rest.split()[0]] = (True, rest.split()[1])
            elif word in ("refused", "FAILED"):
                results[rest.split(":")[0]] = (False, f"{word}: {rest.partition(': ')[2]}")
        for n in part:
            results.setdefault(n, (False, f"the runner ended with status {done.returncode}"))


def opset_range(name):
    last = max((s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == name and not s.domain), default=OPSETS[0])
    first = min((s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == name and not s.domain), default=OPSETS[0])
    schema = next((s for s in onnx.defs.get_all_schemas_with_history() if s.name == name and s.since_version == last), None)
    end = last - 1 if schema is not None and schema.deprecated else OPSETS[1]
    return f"{max(first, OPSETS[0])} to {end}"


HEAD = """# ONNX: what is read, and how it is checked

<!-- made by tests/oracle/onnx_nodes.py --docs -->

Gannet reads models of opset {first} to {last}. Operators that it does not have are refused by name when the file is read; so are control flow
(`If`, `Loop`, `Scan`), sequences, strings, and element types that are not in this list: f16, f32, f64, signed and unsigned integers of 8 to 64
bits, bool. Forms of older and newer opsets are brought into one form while reading, constants are folded, and the shapes of all values
are inferred for the size at hand, including shapes that the model itself computes from the shape of its input.

Data in other files is read when the file lies in the model's folder: absolute paths, `..` and symbolic links that lead out are refused, and
so is more than 2 GiB of such data. A model whose input has a fixed batch of 1 is run picture by picture where its shapes allow no other.

Each operator below is checked by the node tests of the `onnx` package, version {version}, with its tolerance (relative 1e-3, absolute 1e-7): by its
reference, and on the CPU backend in the inference form of the model. *runs by*: `kernel` is vector code where the element type is f32, and
its reference otherwise; `reference` is plain code; `others` means that the operator becomes several others while it is read.
*shapes*: tests in which all inputs but the first had to be given as constants before the model was read, because they carry shapes, axes or
bounds; *constant*: those in which all inputs had to. Tests of opsets below {first} run as opset {first}, where their operators are the same.
Outputs whose size depends on data (`NonMaxSuppression`) have as many rows as there can be; those that are too many hold -1.

"""


def document(taken, left, results, known):
    by_op = collections.defaultdict(list)
    for name, about in taken.items():
        by_op[about].append(name)
    lines = [HEAD.format(first=OPSETS[0], last=OPSETS[1], version=".".join(onnx.__version__.split(".")[:2]))]
    lines.append("| operator | opsets | runs by | differentiable | tests passed | taken | shapes | constant |\n|---|---|---|---|---|---|---|---|\n")
    total = [0, 0]
    for op in sorted(OPERATORS) + ["(others, spelled in these)"]:
        tests = by_op.get(op, []) if op in OPERATORS else [t for o, ts in by_op.items() if o not in OPERATORS for t in ts]
        passed = [results[t][1] for t in tests if results[t][0]]
        kind, grad = known.get(op, ("others", "through them"))
        if op == "Constant":
            kind, grad = "a constant", "-"
        lines.append(f"| {op} | {opset_range(op) if op in OPERATORS else ''} | {kind} | {grad} | {len(passed)} | {len(tests)} | {passed.count('shapes')} | "
                     f"{passed.count('constant')} |\n")
        total[0] += len(passed)
        total[1] += len(tests)
    lines.append(f"| all | | | | {total[0]} | {total[1]} | | |\n")
    failed = sorted(t for t in taken if not results[t][0])
    if failed:
        lines.append("\n## Taken, not passed\n\n")
        lines += [f"- `{t}`: {results[t][1]}\n" for t in failed]
    lines.append(f"\n## Not taken\n\nTests of these operators that are not run, {len(left)} in all, with the reason.\n")
    reasons = collections.defaultdict(list)
    for name, (_, reason) in left.items():
        reasons[reason].append(name)
    for reason in sorted(reasons, key=lambda r: (-len(reasons[r]), r)):
        lines.append(f"\n**{reason}** ({len(reasons[reason])}): " + ", ".join(f"`{n}`" for n in sorted(reasons[reason])) + "\n")
    return "".join(lines)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    if not onnx.__version__.startswith("1.16."):
        sys.exit(f"onnx {onnx.__version__} is installed; the node tests of 1.16 are meant")
    listing = subprocess.run([str(build / "conformance" / "onnx_node_runner"), "--operators"], capture_output=True, text=True, check=True)
    known = {line.split()[0]: tuple(line.split()[1:3]) for line in listing.stdout.splitlines()}
    taken, left = collect()
    results = run(build, taken)
    failed = [t for t in taken if not results[t][0]]
    counts = collections.Counter(about for t, about in taken.items() if results[t][0])
    for op in sorted(set(taken.values())):
        n = sum(about == op for about in taken.values())
        print(f"{'ok' if counts[op] == n else 'FAILED'}  {op}: {counts[op]} of {n}")
    for t in sorted(failed) if "-v" in sys.argv or failed else []:
        print(f"    {t}: {results[t][1]}")
    print(f"    {len(taken) - len(failed)} of {len(taken)} node tests pass, {len(left)} are not taken")
    text = document(taken, left, results, known)
    path = ROOT / "docs" / "onnx.md"
    if "--docs" in sys.argv:
        path.write_text(text, encoding="utf-8")
    elif "--check" in sys.argv:
        same = path.read_text(encoding="utf-8") == text
        print(f"{'ok' if same else 'FAILED'}  docs/onnx.md")
        failed += [] if same else ["docs/onnx.md"]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
