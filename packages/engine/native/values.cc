// Single JavaScript values to and from C++: numbers, strings, size lists, dtypes by their PyTorch names.
#include "addon.h"

#include <cmath>

namespace looprpt {

int64_t readInteger(napi_env env, napi_value value) {
  double number = 0;
  TORCH_CHECK(napi_get_value_double(env, value, &number) == napi_ok && number == std::trunc(number) &&
                  std::abs(number) < 9223372036854775808.0,
              "an integer was expected");
  return static_cast<int64_t>(number);
}

std::string readString(napi_env env, napi_value value) {
  size_t length = 0;
  TORCH_CHECK(napi_get_value_string_utf8(env, value, nullptr, 0, &length) == napi_ok, "a string was expected");
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, &text[0], length + 1, &length);
  return text;
}

struct DTypeName {
  const char* name;
  at::ScalarType type;
};
static constexpr DTypeName kDTypes[] = {
    {"float32", at::kFloat}, {"float64", at::kDouble}, {"float16", at::kHalf}, {"bfloat16", at::kBFloat16},
    {"int64", at::kLong},    {"int32", at::kInt},      {"int16", at::kShort},  {"int8", at::kChar},
    {"uint8", at::kByte},    {"bool", at::kBool},
};

at::ScalarType parseDType(const std::string& name) {
  for (const auto& known : kDTypes)
    if (name == known.name) return known.type;
  TORCH_CHECK(false, "unknown dtype '", name, "'");
}

const char* dtypeName(at::ScalarType type) {
  for (const auto& known : kDTypes)
    if (type == known.type) return known.name;
  return c10::toString(type);
}

int32_t Call::int32(size_t i) const {
  int32_t value = 0;
  TORCH_CHECK(i < argc && napi_get_value_int32(env, argv[i], &value) == napi_ok, "argument ", i,
              ": an integer was expected");
  return value;
}

int64_t Call::int64(size_t i) const {
  TORCH_CHECK(i < argc, "argument ", i, " is missing");
  return readInteger(env, argv[i]);
}

bool Call::boolean(size_t i) const {
  bool value = false;
  TORCH_CHECK(i < argc && napi_get_value_bool(env, argv[i], &value) == napi_ok, "argument ", i,
              ": a boolean was expected");
  return value;
}

std::string Call::string(size_t i) const {
  TORCH_CHECK(i < argc, "argument ", i, " is missing");
  return readString(env, argv[i]);
}

std::vector<int64_t> Call::sizes(size_t i) const {
  uint32_t length = 0;
  TORCH_CHECK(i < argc && napi_get_array_length(env, argv[i], &length) == napi_ok, "argument ", i,
              ": an array was expected");
  std::vector<int64_t> values(length);
  for (uint32_t j = 0; j < length; ++j) {
    napi_value element;
    napi_get_element(env, argv[i], j, &element);
    values[j] = readInteger(env, element);
  }
  return values;
}

std::vector<at::Tensor> Call::tensors(size_t i) const {
  std::vector<at::Tensor> result;
  for (const int64_t handle : sizes(i)) result.push_back(handle == 0 ? at::Tensor() : addon.tensors.at(handle));
  return result;
}

napi_value Call::undefined() const {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

napi_value Call::fromNumber(double number) const {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

napi_value Call::fromBool(bool boolean) const {
  napi_value value;
  napi_get_boolean(env, boolean, &value);
  return value;
}

napi_value Call::fromString(const std::string& text) const {
  napi_value value;
  napi_create_string_utf8(env, text.c_str(), text.size(), &value);
  return value;
}

napi_value Call::fromTensor(at::Tensor tensor) const {
  napi_value value;
  if (!tensor.defined()) {
    napi_get_null(env, &value);
  } else {
    napi_create_int32(env, addon.tensors.add(std::move(tensor)), &value);
  }
  return value;
}

napi_value Call::fromTensors(const std::vector<at::Tensor>& values) const {
  napi_value array;
  napi_create_array_with_length(env, values.size(), &array);
  for (size_t j = 0; j < values.size(); ++j) napi_set_element(env, array, j, fromTensor(values[j]));
  return array;
}

}  // namespace looprpt
