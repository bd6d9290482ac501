// SPDX-License-Identifier: Apache-2.0
//
// Triton backend "mpc". Its tensors are listed in mpc_contract.h.

#include "mpc_instance.h"

using skynet::mpc::Instance;
using skynet::mpc::MetricFamilies;
using skynet::mpc::Model;

#include "entry_points.h"
