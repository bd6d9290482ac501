// SPDX-License-Identifier: Apache-2.0
//
// A reader for the JSON the server prints a model's configuration in: just
// enough to walk objects, arrays and strings. Refuses what it cannot read.
#ifndef SKYNET_TRITON_JSON_H_
#define SKYNET_TRITON_JSON_H_

#include <map>
#include <string>
#include <vector>

namespace skynet {

// Scalars other than strings keep their spelling in text ("64", "true").
struct Json {
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json> members;

  const Json& at(const std::string& key) const {
    static const Json nothing;
    const auto found = members.find(key);
    return found == members.end() ? nothing : found->second;
  }
};

// False on malformed input or nesting deeper than 64.
bool parse_json(const std::string& text, Json* value);

}  // namespace skynet

#endif  // SKYNET_TRITON_JSON_H_
