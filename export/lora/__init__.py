# SPDX-License-Identifier: Apache-2.0
"""Low-rank adapters of the LLM, fine-tuned on preferences (DPO). Needs torch and peft."""
