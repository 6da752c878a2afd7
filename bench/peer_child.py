#!/usr/bin/env python3
"""One peer with one network and one number of threads: a process that bench/peers.py keeps alive and tells what to do.

    peer_child.py '{"peer": "ort", "threads": 1, ...}'

It makes its session, answers with one line of JSON and waits.  A line on its standard input is a command, and each is answered by one line of
JSON on the standard output (what libraries print there goes to the standard error stream):
    run RUNS SECONDS MOST   warm up, then at least so many runs and so long, but no longer than MOST seconds: {"ms": [...], "cpu_s": CPU
                       time of all that, "idle_cpu_s": CPU time while it was waiting for this line}
    output PATH        one run, its first output as raw f32 to a file: {"count": N}
    memory             {"rss": bytes now, "hwm": the most so far}
An end of the input ends the process.
SPDX-License-Identifier: Apache-2.0
"""
import array
import ctypes
import json
import os
import resource
import sys
import time

WARM_RUNS, WARM_SECONDS = 3, 0.05


def memory():
    values = {}
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(("VmRSS:", "VmHWM:")):
                values[line[2:5].lower()] = int(line.split()[1]) * 1024
    return values


def forget_peak():
    """From now on "hwm" is the most since now: what loading took is not counted."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def cpu_seconds():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def read_input(spec):
    import numpy
    return numpy.fromfile(spec["input"], numpy.float32).reshape(spec["shape"])


class Peer:
    """load() brings libraries and the input; open() makes the session; run() is what is timed; output() the first output's floats."""

    def load(self, spec):
        self.x = read_input(spec)

    def open(self, spec):
        raise NotImplementedError

    def run(self):
        raise NotImplementedError

    def output(self):
        raise NotImplementedError


class OnnxRuntime(Peer):
    def load(self, spec):
        import onnxruntime
        self.runtime = onnxruntime
        super().load(spec)

    def open(self, spec):
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = spec["threads"]
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = self.runtime.InferenceSession(spec["onnx"], options, providers=["CPUExecutionProvider"])
        # Bound once, so that a run is the network and little else.
        self.binding = self.session.io_binding()
        self.value = self.runtime.OrtValue.ortvalue_from_numpy(self.x)
        self.binding.bind_ortvalue_input(self.session.get_inputs()[0].name, self.value)
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name, "cpu")
        self.run = lambda: self.session.run_with_iobinding(self.binding)

    def output(self):
        self.run()
        return self.binding.copy_outputs_to_cpu()[0]


class OpenVino(Peer):
    def load(self, spec):
        import openvino
        self.runtime = openvino
        super().load(spec)

    def open(self, spec):
        core = self.runtime.Core()
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": spec["threads"]}
        model = core.compile_model(core.read_model(spec["onnx"]), "CPU", settings)
        self.request = model.create_infer_request()
        self.value = self.runtime.Tensor(self.x, shared_memory=True)
        self.request.set_input_tensor(self.value)
        # The binding itself: the Python class around it looks at its inputs anew each time.
        start, wait = self.request.start_async, self.request.wait
        self.run = lambda: (start(), wait())

    def output(self):
        self.run()
        return self.request.get_output_tensor(0).data


class Ncnn(Peer):
    def load(self, spec):
        import ncnn
        self.runtime = ncnn
        super().load(spec)

    def open(self, spec):
        self.net = self.runtime.Net()
        option = self.net.opt
        option.num_threads = spec["threads"]
        for name in dir(option):
            if name.startswith(("use_fp16", "use_bf16")) or name == "use_vulkan_compute":
                setattr(option, name, False)
        # As ncnn's own benchmark does.
        self.allocators = self.runtime.UnlockedPoolAllocator(), self.runtime.PoolAllocator()
        option.blob_allocator, option.workspace_allocator = self.allocators
        if self.net.load_param(spec["ncnn"] + ".param") or self.net.load_model(spec["ncnn"] + ".bin"):
            raise RuntimeError("ncnn cannot load the network that pnnx wrote")
        self.mat = self.runtime.Mat(self.x[0]).clone()
        self.names = sorted(self.net.output_names())

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.mat)
        for name in self.names:
            code, self.result = extractor.extract(name)
            if code:
                raise RuntimeError(f"ncnn's run ended with {code}")

    def output(self):
        import numpy
        extractor = self.net.create_extractor()
        extractor.input("in0", self.mat)
        return numpy.array(extractor.extract(self.names[0])[1])


class Torch(Peer):
    def load(self, spec):
        import torch
        import peer_networks
        self.torch, self.networks = torch, peer_networks
        torch.set_num_threads(spec["threads"])
        super().load(spec)

    def open(self, spec):
        torch = self.torch
        layout = torch.channels_last if spec["peer"] != "torch" else torch.contiguous_format
        net = self.networks.torch_network(spec["name"], spec["weights"]).eval().to(memory_format=layout)
        self.tensor = torch.from_numpy(self.x).to(memory_format=layout)
        if spec["peer"] == "torch_compile":
            import torch._inductor.config
            torch._inductor.config.freezing = True  # weights are constants: normalisation is folded, weights are packed
            net = torch.compile(net)
        self.net = net
        self.mode = torch.no_grad() if spec["peer"] == "torch_compile" else torch.inference_mode()
        self.mode.__enter__()
        self.run = lambda: self.net(self.tensor)

    def output(self):
        return self.run().numpy()


class Model(ctypes.Structure):
    """gn_model_options of gannet.h."""
    _fields_ = [("threads", ctypes.c_int), ("imgsz_w", ctypes.c_int), ("imgsz_h", ctypes.c_int), ("batch", ctypes.c_int),
                ("conf", ctypes.c_float), ("iou", ctypes.c_float), ("max_det", ctypes.c_int)]


class Gannet(Peer):
    """libgannet_run; without numpy, so that the process holds little else."""

    def load(self, spec):
        self.runtime = ctypes.CDLL(spec["runtime"])
        self.x = array.array("f")
        with open(spec["input"], "rb") as file:
            self.x.frombytes(file.read())

    def open(self, spec):
        self.model, self.message = ctypes.c_void_p(), ctypes.create_string_buffer(1024)
        options = Model(threads=spec["threads"])
        if self.runtime.gn_model_open(spec["onnx"].encode(), ctypes.byref(options), ctypes.byref(self.model), self.message):
            raise RuntimeError(self.message.value.decode())
        address = ctypes.cast((ctypes.c_float * len(self.x)).from_buffer(self.x), ctypes.POINTER(ctypes.c_float))
        self.result, self.count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_int64()
        call = self.runtime.gn_model_run
        arguments = self.model, address, 1, ctypes.byref(self.result), ctypes.byref(self.count), self.message
        self.run = lambda: call(*arguments)

    def output(self):
        if self.run():
            raise RuntimeError(self.message.value.decode())
        return array.array("f", self.result[:self.count.value])


PEERS = {"ort": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn, "torch": Torch, "torch_last": Torch, "torch_compile": Torch, "gannet": Gannet}


def run_round(peer, runs, seconds, most):
    run, now = peer.run, time.perf_counter
    begin = now()
    done = 0
    while done < WARM_RUNS and now() - begin < 0.1 * most or now() - begin < WARM_SECONDS:
        run()
        done += 1
    times = []
    begin = now()
    while (len(times) < runs or now() - begin < seconds) and now() - begin < most:
        start = now()
        run()
        times.append((now() - start) * 1e3)
    return times


def write_output(peer, path):
    values = peer.output()
    with open(path, "wb") as file:
        values.tofile(file) if isinstance(values, array.array) else values.astype("<f4").tofile(file)
    return len(values) if isinstance(values, array.array) else values.size


def obey(peer, words, idle_from):
    if words[0] == "run":
        began = cpu_seconds()
        times = run_round(peer, int(words[1]), *map(float, words[2:4]))
        return {"ms": times, "cpu_s": cpu_seconds() - began, "idle_cpu_s": began - idle_from}
    if words[0] == "output":
        return {"count": write_output(peer, words[1])}
    if words[0] == "memory":
        return memory()
    raise ValueError(f"no command '{words[0]}'")


def make_peer(spec):
    if spec["peer"].startswith("train"):
        import peer_training
        return peer_training.PEERS[spec["peer"]]()
    return PEERS[spec["peer"]]()


def main():
    spec = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        peer = make_peer(spec)
        peer.load(spec)
        before = memory()
        begin = time.perf_counter()
        peer.open(spec)
        forget_peak()
        peer.run()
        answers.write(json.dumps({"before": before, "first_ms": (time.perf_counter() - begin) * 1e3, "after": memory()}) + "\n")
        idle_from = cpu_seconds()
        for line in sys.stdin:
            answer = obey(peer, line.split(), idle_from)
            answers.write(json.dumps(answer) + "\n")
            idle_from = cpu_seconds()
    except Exception as error:  # whatever a library raises is told to the parent
        answers.write(json.dumps({"error": f"{type(error).__name__}: {str(error).strip()[:300]}"}) + "\n")
        answers.flush()
    os._exit(0)  # libraries disagree about the order in which they go


if __name__ == "__main__":
    main()
