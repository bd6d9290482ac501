// SPDX-License-Identifier: Apache-2.0

#include "path.h"

#include <stdlib.h>
#include <string.h>

namespace skynet {
namespace {

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512dq");
}

bool available(Path path) {
  switch (path) {
    case Path::kScalar:
      return true;
    case Path::kAvx2:
      return has_avx2();
    case Path::kAvx512:
      return has_avx512();
    case Path::kAuto:
      break;
  }
  return false;
}

bool from_environment(Path* path) {
  const char* name = getenv("SKYNET_AUCTION_PATH");
  *path = Path::kAuto;
  if (name == nullptr || strcmp(name, "auto") == 0) return true;
  const struct {
    const char* name;
    Path path;
  } known[] = {{"scalar", Path::kScalar},
               {"avx2", Path::kAvx2},
               {"avx512", Path::kAvx512}};
  for (const auto& entry : known) {
    if (strcmp(name, entry.name) == 0) {
      *path = entry.path;
      return true;
    }
  }
  return false;
}

}  // namespace

bool resolve_path(Path asked, Path* path) {
  static const auto wanted = [] {
    struct {
      bool known;
      Path path;
    } w{};
    w.known = from_environment(&w.path);
    return w;
  }();
  *path = asked;
  if (asked == Path::kAuto) {
    if (!wanted.known) return false;
    *path = wanted.path;
  }
  if (*path == Path::kAuto) {
    *path = has_avx512() ? Path::kAvx512
            : has_avx2() ? Path::kAvx2
                         : Path::kScalar;
  }
  return available(*path);
}

}  // namespace skynet
