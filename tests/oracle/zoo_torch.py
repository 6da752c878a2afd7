"""torchvision's networks (and those that it lacks) by the names of the zoo, for the scripts of this folder.

SPDX-License-Identifier: Apache-2.0
"""
import torch
import torchvision

# The 21 of the search, in its order.
SEARCHED = [
    "alexnet", "vgg11", "vgg11_bn", "resnet18", "squeezenet1_0", "squeezenet1_1", "densenet121", "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_0", "mnasnet1_3",
    "regnet_y_400mf", "regnet_y_800mf", "regnet_x_400mf", "regnet_x_800mf", "convnext_tiny", "convnext_small",
]
TORCHVISION = SEARCHED + ["vgg16", "googlenet"]
# Smallest size that the poolings in front of the adaptive one leave something of, where 64 px are too few.
ALL = TORCHVISION + ["mobilenet_v1", "mobilenet_v1@0.25", "mobilenet_v2@0.35", "xception", "resnet20_cifar"]


def norm_act(norm, act):
    return [torch.nn.BatchNorm2d(norm), act()]


class MobileNetV1(torch.nn.Module):
    """Howard et al. 2017, table 1, with the names of tensors that PyTorch implementations share."""

    def __init__(self, width=1.0, act=torch.nn.ReLU):
        super().__init__()
        c = lambda channels: max(8, int(channels * width))
        conv = torch.nn.Conv2d

        def separable(i, k, stride):
            return torch.nn.Sequential(conv(c(i), c(i), 3, stride, 1, groups=c(i), bias=False), *norm_act(c(i), act),
                                       conv(c(i), c(k), 1, bias=False), *norm_act(c(k), act))

        first = torch.nn.Sequential(conv(3, c(32), 3, 2, 1, bias=False), *norm_act(c(32), act))
        self.stage1 = torch.nn.Sequential(first, separable(32, 64, 1), separable(64, 128, 2), separable(128, 128, 1),
                                          separable(128, 256, 2), separable(256, 256, 1))
        self.stage2 = torch.nn.Sequential(separable(256, 512, 2), *[separable(512, 512, 1) for _ in range(5)])
        self.stage3 = torch.nn.Sequential(separable(512, 1024, 2), separable(1024, 1024, 1))
        self.fc = torch.nn.Linear(c(1024), 1000)

    def forward(self, x):
        return self.fc(self.stage3(self.stage2(self.stage1(x))).mean((2, 3)))


class Shortcut(torch.nn.Module):
    """He et al. 2016, option A: every second pixel, zeros in the new channels."""

    def __init__(self, more):
        super().__init__()
        self.more = more

    def forward(self, x):
        return torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))


class CifarBlock(torch.nn.Module):
    def __init__(self, i, k):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(i, k, 3, 2 if i != k else 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(k)
        self.conv2 = torch.nn.Conv2d(k, k, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(k)
        self.shortcut = Shortcut(k - i) if i != k else torch.nn.Identity()

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.shortcut(x))


class ResNet20(torch.nn.Module):
    """He et al. 2016, section 4.2."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        widths = [16, 16, 32, 64]
        for s in range(3):
            blocks = [CifarBlock(widths[s] if i == 0 else widths[s + 1], widths[s + 1]) for i in range(3)]
            self.add_module(f"layer{s + 1}", torch.nn.Sequential(*blocks))
        self.linear = torch.nn.Linear(64, 1000)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


class Separable(torch.nn.Module):
    def __init__(self, i, k):
        super().__init__()
        self.depthwise = torch.nn.Conv2d(i, i, 3, 1, 1, groups=i, bias=False)
        self.pointwise = torch.nn.Conv2d(i, k, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class Xception(torch.nn.Module):
    """Chollet 2017, figure 5, with Keras' names of layers."""

    def __init__(self):
        super().__init__()
        self.block1_conv1, self.block1_conv1_bn = torch.nn.Conv2d(3, 32, 3, 2, bias=False), self.norm(32)
        self.block1_conv2, self.block1_conv2_bn = torch.nn.Conv2d(32, 64, 3, bias=False), self.norm(64)
        self.downs = {2: (64, 128, 128), 3: (128, 256, 256), 4: (256, 728, 728), 13: (728, 728, 1024)}
        for i, (c, k1, k2) in self.downs.items():
            holder = torch.nn.Module()
            holder.shortcut, holder.shortcut_bn = torch.nn.Conv2d(c, k2, 1, 2, bias=False), self.norm(k2)
            self.add_module(f"block{i}", holder)
            self.add(f"block{i}_sepconv1", c, k1)
            self.add(f"block{i}_sepconv2", k1, k2)
        for i in range(5, 13):
            for j in range(1, 4):
                self.add(f"block{i}_sepconv{j}", 728, 728)
        self.add("block14_sepconv1", 1024, 1536)
        self.add("block14_sepconv2", 1536, 2048)
        self.predictions = torch.nn.Linear(2048, 1000)

    @staticmethod
    def norm(c):
        return torch.nn.BatchNorm2d(c, eps=1e-3, momentum=0.01)

    def add(self, name, i, k):
        self.add_module(name, Separable(i, k))
        self.add_module(name + "_bn", self.norm(k))

    def sep(self, name, x):
        return getattr(self, name + "_bn")(getattr(self, name)(x))

    def forward(self, x):
        x = torch.relu(self.block1_conv1_bn(self.block1_conv1(x)))
        x = torch.relu(self.block1_conv2_bn(self.block1_conv2(x)))
        for i in range(2, 14):
            y = x
            if i in self.downs:
                y = self.sep(f"block{i}_sepconv1", torch.relu(y) if i != 2 else y)
                y = self.sep(f"block{i}_sepconv2", torch.relu(y))
                y = torch.nn.functional.max_pool2d(y, 3, 2, 1)
                holder = getattr(self, f"block{i}")
                x = holder.shortcut_bn(holder.shortcut(x))
            else:
                for j in range(1, 4):
                    y = self.sep(f"block{i}_sepconv{j}", torch.relu(y))
            x = x + y
        x = torch.relu(self.sep("block14_sepconv1", x))
        x = torch.relu(self.sep("block14_sepconv2", x))
        return self.predictions(x.mean((2, 3)))


def make(name):
    """The network with its own random weights; auxiliary heads, dropout and stochastic depth are left out."""
    base, _, width = name.partition("@")
    if base == "mobilenet_v1":
        net = MobileNetV1(float(width or 1))
    elif base == "xception":
        net = Xception()
    elif base == "resnet20_cifar":
        net = ResNet20()
    elif base == "mobilenet_v2":
        net = torchvision.models.mobilenet_v2(width_mult=float(width or 1))
    elif base == "googlenet":
        net = torchvision.models.googlenet(aux_logits=False, init_weights=True, transform_input=False)
    else:
        net = getattr(torchvision.models, base)()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torchvision.ops.StochasticDepth):
            module.p = 0.0
    return net


def tensors(net):
    """Name and tensor of everything that is stored, without counters."""
    return [(k, v) for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")]
