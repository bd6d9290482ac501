# SPDX-License-Identifier: Apache-2.0
#
# The accelerator path. Everywhere: libskynet_auction_host.so, the kernels on a
# CPU. Where nvcc is: libskynet_auction_cuda.so.

HOST := engine plan device device_host host_kernels runtime_host
HOST_OBJ := $(HOST:%=$(BUILD)/cuda/%.o)

all: $(BUILD)/libskynet_auction_host.so

$(BUILD)/libskynet_auction_host.so: $(HOST_OBJ)
	$(CXX) $(CXXFLAGS) $(LINK) $^ -pthread -o $@
