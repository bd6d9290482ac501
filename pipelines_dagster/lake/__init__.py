# SPDX-License-Identifier: Apache-2.0
"""The lake: Delta tables of zstd Parquet, partitioned by date, in a folder or an S3 bucket."""
