// JavaScript values to libtorch's IValues by the operator's own schema, and results back.
//
// A tensor is its handle; null is None, a missing argument (undefined) the schema's default; dtypes, layouts and memory
// formats are strings; a single number does for int[N]. A number given for a Scalar is an integer if it is whole.
#include "addon.h"

#include <cmath>

namespace looprpt {

using c10::IValue;
using c10::TypeKind;

static napi_valuetype typeOf(const Call& call, napi_value value) {
  napi_valuetype type;
  napi_typeof(call.env, value, &type);
  return type;
}

static bool isNone(const Call& call, napi_value value) {
  const napi_valuetype type = typeOf(call, value);
  return type == napi_undefined || type == napi_null;
}

static bool isArray(const Call& call, napi_value value) {
  bool array = false;
  napi_is_array(call.env, value, &array);
  return array;
}

static c10::MemoryFormat parseMemoryFormat(const std::string& name) {
  if (name == "contiguous_format") return c10::MemoryFormat::Contiguous;
  if (name == "preserve_format") return c10::MemoryFormat::Preserve;
  if (name == "channels_last") return c10::MemoryFormat::ChannelsLast;
  if (name == "channels_last_3d") return c10::MemoryFormat::ChannelsLast3d;
  TORCH_CHECK(false, "unknown memory format '", name, "'");
}

// Enumerations travel as integers in schemas; what an integer stands for is in the schema's "real" type.
static int64_t parseEnumeration(const std::string& name, const c10::TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::OptionalType:
      return parseEnumeration(name, type->castRaw<c10::OptionalType>()->getElementType());
    case TypeKind::ScalarTypeType:
      return static_cast<int64_t>(parseDType(name));
    case TypeKind::MemoryFormatType:
      return static_cast<int64_t>(parseMemoryFormat(name));
    case TypeKind::LayoutType:
      TORCH_CHECK(name == "strided", "unknown layout '", name, "'");
      return static_cast<int64_t>(c10::Layout::Strided);
    default:
      TORCH_CHECK(false, "an integer was expected");
  }
}

static int64_t readInt(const Call& call, napi_value value) {
  switch (typeOf(call, value)) {
    case napi_boolean: {
      bool flag;
      napi_get_value_bool(call.env, value, &flag);
      return flag;
    }
    case napi_bigint: {
      int64_t integer;
      bool lossless;
      napi_get_value_bigint_int64(call.env, value, &integer, &lossless);
      TORCH_CHECK(lossless, "an integer of 64 bits was expected");
      return integer;
    }
    default:
      return readInteger(call.env, value);
  }
}

static double readDouble(const Call& call, napi_value value) {
  double number;
  TORCH_CHECK(napi_get_value_double(call.env, value, &number) == napi_ok, "a number was expected");
  return number;
}

static IValue readScalar(const Call& call, napi_value value) {
  switch (typeOf(call, value)) {
    case napi_boolean: {
      bool flag;
      napi_get_value_bool(call.env, value, &flag);
      return IValue(flag);
    }
    case napi_bigint:
      return IValue(readInt(call, value));
    default: {
      const double number = readDouble(call, value);
      const bool whole = number == std::trunc(number) && std::abs(number) < 9007199254740992.0 &&
                         !(number == 0 && std::signbit(number));
      return whole ? IValue(static_cast<int64_t>(number)) : IValue(number);
    }
  }
}

static at::Tensor readTensor(const Call& call, napi_value value) {
  int32_t handle = 0;
  TORCH_CHECK(napi_get_value_int32(call.env, value, &handle) == napi_ok, "a tensor was expected");
  return call.addon.tensors.at(handle);
}

template <typename Element, typename Read>
static std::vector<Element> readArray(const Call& call, napi_value value, Read read) {
  uint32_t length = 0;
  TORCH_CHECK(napi_get_array_length(call.env, value, &length) == napi_ok, "an array was expected");
  std::vector<Element> elements;
  elements.reserve(length);
  for (uint32_t i = 0; i < length; ++i) {
    napi_value element;
    napi_get_element(call.env, value, i, &element);
    elements.push_back(read(call, element));
  }
  return elements;
}

static IValue readAs(const Call& call, napi_value value, const c10::TypePtr& type, const c10::Argument& argument);

static IValue readList(const Call& call, napi_value value, const c10::TypePtr& element, const c10::Argument& argument) {
  switch (element->kind()) {
    case TypeKind::TensorType:
      return IValue(c10::List<at::Tensor>(readArray<at::Tensor>(call, value, readTensor)));
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      if (!isArray(call, value))  // int[2] stride = 1
        return IValue(std::vector<int64_t>(argument.N().value_or(1), readInt(call, value)));
      return IValue(readArray<int64_t>(call, value, readInt));
    case TypeKind::FloatType:
      return IValue(readArray<double>(call, value, readDouble));
    case TypeKind::BoolType: {
      c10::List<bool> flags;
      for (const int64_t flag : readArray<int64_t>(call, value, readInt)) flags.push_back(flag != 0);
      return IValue(flags);
    }
    default: {  // lists of optional tensors, of scalars, of strings
      c10::impl::GenericList list(element);
      uint32_t length = 0;
      TORCH_CHECK(napi_get_array_length(call.env, value, &length) == napi_ok, "an array was expected");
      for (uint32_t i = 0; i < length; ++i) {
        napi_value item;
        napi_get_element(call.env, value, i, &item);
        list.push_back(readAs(call, item, element, argument));
      }
      return IValue(list);
    }
  }
}

static IValue readAs(const Call& call, napi_value value, const c10::TypePtr& type, const c10::Argument& argument) {
  switch (type->kind()) {
    case TypeKind::TensorType:
      return IValue(readTensor(call, value));
    case TypeKind::OptionalType:
      if (isNone(call, value)) return IValue();
      return readAs(call, value, type->castRaw<c10::OptionalType>()->getElementType(), argument);
    case TypeKind::ListType:
      return readList(call, value, type->castRaw<c10::ListType>()->getElementType(), argument);
    case TypeKind::NumberType:
      return readScalar(call, value);
    case TypeKind::FloatType:
      return IValue(readDouble(call, value));
    case TypeKind::BoolType:
      return IValue(readInt(call, value) != 0);
    case TypeKind::StringType:
      return IValue(readString(call.env, value));
    case TypeKind::DeviceObjType:
      return IValue(c10::Device(readString(call.env, value)));
    case TypeKind::GeneratorType: {
      const int64_t handle = readInt(call, value);
      return IValue(call.addon.generators.at(static_cast<int32_t>(handle)));
    }
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      if (typeOf(call, value) == napi_string)
        return IValue(parseEnumeration(readString(call.env, value), argument.real_type()));
      return IValue(readInt(call, value));
    default:
      TORCH_CHECK(false, "values of this type have no JavaScript form");
  }
}

IValue toIValue(const Call& call, napi_value value, const c10::FunctionSchema& schema, size_t i) {
  const c10::Argument& argument = schema.arguments()[i];
  if (value == nullptr || typeOf(call, value) == napi_undefined) {
    if (argument.default_value()) return *argument.default_value();
    if (argument.type()->kind() == TypeKind::OptionalType) return IValue();
    TORCH_CHECK(false, schema.operator_name(), ": argument '", argument.name(), "' is missing");
  }
  try {
    return readAs(call, value, argument.type(), argument);
  } catch (const std::exception& error) {
    TORCH_CHECK(false, schema.operator_name(), ": argument '", argument.name(), "' (", argument.real_type()->str(),
                "): ", withoutStack(error));
  }
}

napi_value fromIValue(const Call& call, const IValue& value) {
  if (value.isTensor()) return call.fromTensor(value.toTensor());
  if (value.isTensorList()) return call.fromTensors(value.toTensorVector());
  if (value.isInt()) return call.fromNumber(static_cast<double>(value.toInt()));
  if (value.isDouble()) return call.fromNumber(value.toDouble());
  if (value.isBool()) return call.fromBool(value.toBool());
  if (value.isString()) return call.fromString(value.toStringRef());
  if (value.isNone()) return call.undefined();
  if (value.isList()) {
    const auto list = value.toListRef();
    napi_value array;
    napi_create_array_with_length(call.env, list.size(), &array);
    for (size_t i = 0; i < list.size(); ++i) napi_set_element(call.env, array, i, fromIValue(call, list[i]));
    return array;
  }
  TORCH_CHECK(false, "a result of type ", value.tagKind(), " has no JavaScript form");
}

}  // namespace looprpt
