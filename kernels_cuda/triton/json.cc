// SPDX-License-Identifier: Apache-2.0

#include "json.h"

#include <string.h>

namespace skynet {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  bool document(Json* value) {
    return any(value, 0) && (skip(), at_ == text_.size());
  }

 private:
  void skip() {
    while (at_ < text_.size() && strchr(" \t\r\n", text_[at_])) ++at_;
  }

  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool any(Json* value, int depth) {
    if (depth > 64) return false;
    if (take('{')) return object(value, depth);
    if (take('[')) return array(value, depth);
    if (take('"')) return string(&value->text);
    return scalar(&value->text);
  }

  bool object(Json* value, int depth) {
    if (take('}')) return true;
    do {
      std::string key;
      if (!take('"') || !string(&key) || !take(':')) return false;
      if (!any(&value->members[key], depth + 1)) return false;
    } while (take(','));
    return take('}');
  }

  bool array(Json* value, int depth) {
    if (take(']')) return true;
    do {
      value->items.emplace_back();
      if (!any(&value->items.back(), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  // After the opening quote. Escapes keep the escaped character: names and
  // types here are plain ASCII.
  bool string(std::string* out) {
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && ++at_ >= text_.size()) return false;
      out->push_back(text_[at_]);
    }
    return at_++ < text_.size();
  }

  bool scalar(std::string* out) {
    skip();
    const size_t end = text_.find_first_of(",]} \t\r\n", at_);
    if (end == std::string::npos || end == at_) return false;
    *out = text_.substr(at_, end - at_);
    at_ = end;
    return true;
  }

  const std::string& text_;
  size_t at_ = 0;
};

}  // namespace

bool parse_json(const std::string& text, Json* value) {
  return Parser(text).document(value);
}

}  // namespace skynet
