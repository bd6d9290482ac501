# SPDX-License-Identifier: Apache-2.0
#
# The accelerator path. Everywhere: libskynet_auction_host.so, the kernels on a
# CPU. With nvcc also libskynet_auction_cuda.so, by `make cuda`.

NVCC ?= nvcc
HAVE_NVCC := $(shell command -v $(NVCC) 2>/dev/null)
# Machine code for sm_80 and sm_90; newer ones compile the PTX at load time.
GENCODE := -gencode arch=compute_80,code=sm_80 \
	-gencode arch=compute_90,code=sm_90 \
	-gencode arch=compute_90,code=compute_90
# No product is fused unless the code says fma: the CPU twin has the same bits.
NVCCFLAGS := -std=c++17 -O3 -fmad=false -Xptxas -v \
	-Xcompiler -fPIC,-fvisibility=hidden,-Wall
ENGINE := engine engine_batch memory plan device
DEVICE := cluster portable naive runtime_cuda
HOST_OBJ := $(ENGINE:%=$(BUILD)/cuda/%.o) \
	$(BUILD)/cuda/device_host.o $(BUILD)/cuda/host_kernels.o \
	$(BUILD)/cuda/runtime_host.o
CUDA_OBJ := $(ENGINE:%=$(BUILD)/cuda/%.o) $(DEVICE:%=$(BUILD)/cuda/%.cu.o)

.PHONY: cuda
# Compiling for a GPU takes minutes: done where one is, or when asked for.
HAVE_GPU := $(wildcard /dev/nvidiactl)
all: $(BUILD)/libskynet_auction_host.so \
	$(if $(and $(HAVE_NVCC),$(HAVE_GPU)),cuda)
cuda: $(BUILD)/libskynet_auction_cuda.so

# NAME.cu.ptxas: registers, shared memory and spills, see resources.py.
$(BUILD)/cuda/%.cu.o: cuda/%.cu cuda/cuda.mk
	@mkdir -p $(@D)
	$(NVCC) $(NVCCFLAGS) $(GENCODE) -MMD -MP -c $< -o $@ 2> $(@:.o=.ptxas) || \
	  { cat $(@:.o=.ptxas); exit 1; }

$(BUILD)/libskynet_auction_host.so: $(HOST_OBJ) cuda/exports.map
	$(CXX) $(CXXFLAGS) -shared -static-libstdc++ -static-libgcc -pthread \
	  -Wl,--version-script=cuda/exports.map $(HOST_OBJ) -o $@

$(BUILD)/libskynet_auction_cuda.so: $(CUDA_OBJ) cuda/exports.map
	$(NVCC) -shared -cudart static \
	  -Xcompiler -static-libstdc++,-static-libgcc \
	  -Xlinker --version-script=cuda/exports.map $(CUDA_OBJ) -o $@

SOURCES += $(wildcard cuda/*.cu cuda/*.cuh)
