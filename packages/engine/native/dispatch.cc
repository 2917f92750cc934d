// The door to every operator: look one up by name and overload, read its schema, call it through the dispatcher
// (autograd, autocast and devices come with that).
#include "addon.h"

#include <algorithm>
#include <sstream>

namespace looprpt {

static bool writesTo(const c10::AliasInfo* info) { return info != nullptr && info->isWrite(); }

static int changedArgument(const c10::FunctionSchema& schema, const c10::Argument& result) {
  if (!writesTo(result.alias_info())) return -1;
  for (size_t i = 0; i < schema.arguments().size(); ++i) {
    const auto* alias = schema.arguments()[i].alias_info();
    if (writesTo(alias) && alias->beforeSets() == result.alias_info()->beforeSets()) return static_cast<int>(i);
  }
  return -1;
}

static std::vector<int> changedArguments(const c10::FunctionSchema& schema) {
  std::vector<int> changed;
  for (const auto& result : schema.returns()) changed.push_back(changedArgument(schema, result));
  return changed;
}

// What JavaScript has to do with a value: 't' tensor, 'l' (nested) list of tensors, 'g' generator, 'v' anything else.
static const char* kindOf(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return "t";
    case c10::TypeKind::GeneratorType:
      return "g";
    case c10::TypeKind::OptionalType:
      return kindOf(type->castRaw<c10::OptionalType>()->getElementType());
    case c10::TypeKind::ListType: {
      const char* element = kindOf(type->castRaw<c10::ListType>()->getElementType());
      return *element == 't' ? "l" : element;
    }
    default:
      return "v";
  }
}

// The names of all operators with this name, for whoever forgot the overload.
static std::string overloadsOf(const std::string& name) {
  std::string found;
  for (const auto& known : c10::Dispatcher::singleton().getAllOpNames())
    if (known.name == name) found += (found.empty() ? "; there is " : ", ") + c10::toString(known);
  return found;
}

// resolve("aten::add", "Tensor") -> operator id
static napi_value resolve(const Call& call) {
  const std::string name = call.string(0), overload = call.string(1), key = name + "." + overload;
  const auto known = call.addon.operatorIds.find(key);
  if (known != call.addon.operatorIds.end()) return call.fromNumber(known->second);
  auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
  TORCH_CHECK(handle.has_value(), "libtorch has no operator ", name, overload.empty() ? "" : ".", overload,
              overloadsOf(name));
  const auto id = static_cast<int32_t>(call.addon.operators.size());
  call.addon.operators.push_back({*handle, changedArguments(handle->schema())});
  call.addon.operatorIds.emplace(key, id);
  return call.fromNumber(id);
}

static napi_value describeArgument(const Call& call, const c10::Argument& argument) {
  napi_value description;
  napi_create_object(call.env, &description);
  napi_set_named_property(call.env, description, "name", call.fromString(argument.name()));
  napi_set_named_property(call.env, description, "kind", call.fromString(kindOf(argument.type())));
  napi_set_named_property(call.env, description, "changes", call.fromBool(writesTo(argument.alias_info())));
  return description;
}

// describe(id) -> {schema, arguments: [{name, kind, changes}], returns: [kind, or the index of the argument it is]}
static napi_value describe(const Call& call) {
  const Operator& op = call.addon.operators.at(call.int32(0));
  const c10::FunctionSchema& declared = op.handle.schema();
  std::ostringstream schema;
  schema << declared;
  napi_value description, arguments, returns;
  napi_create_object(call.env, &description);
  napi_create_array(call.env, &arguments);
  napi_create_array(call.env, &returns);
  for (size_t i = 0; i < declared.arguments().size(); ++i)
    napi_set_element(call.env, arguments, i, describeArgument(call, declared.arguments()[i]));
  for (size_t i = 0; i < op.changed.size(); ++i)
    napi_set_element(
        call.env, returns, i,
        op.changed[i] >= 0 ? call.fromNumber(op.changed[i]) : call.fromString(kindOf(declared.returns()[i].type())));
  napi_set_named_property(call.env, description, "schema", call.fromString(schema.str()));
  napi_set_named_property(call.env, description, "arguments", arguments);
  napi_set_named_property(call.env, description, "returns", returns);
  return description;
}

// call(id, ...arguments) -> the result, or an array of results; undefined stands for a result that is an argument
static napi_value callOperator(const Call& call) {
  const Operator& op = call.addon.operators.at(call.int32(0));
  const c10::FunctionSchema& schema = op.handle.schema();
  const size_t wanted = schema.arguments().size(), given = call.argc - 1;
  TORCH_CHECK(given <= wanted, op.handle.operator_name(), " takes ", wanted, " arguments, ", given, " were given");
  torch::jit::Stack stack;
  stack.reserve(std::max(wanted, op.changed.size()));
  for (size_t i = 0; i < wanted; ++i)
    stack.push_back(toIValue(call, i < given ? call.argv[i + 1] : nullptr, schema, i));
  {
    const FlushDenormals flush;
    op.handle.callBoxed(&stack);
  }
  const auto result = [&](size_t i) { return op.changed[i] >= 0 ? call.undefined() : fromIValue(call, stack[i]); };
  if (stack.size() == 1) return result(0);
  napi_value array;
  napi_create_array_with_length(call.env, stack.size(), &array);
  for (size_t i = 0; i < stack.size(); ++i) napi_set_element(call.env, array, i, result(i));
  return array;
}

static napi_value operatorNames(const Call& call) {
  napi_value array;
  napi_create_array(call.env, &array);
  uint32_t i = 0;
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames())
    napi_set_element(call.env, array, i++, call.fromString(c10::toString(name)));
  return array;
}

void registerDispatch(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "resolve", entry<resolve>);
  registerFunction(env, exports, addon, "describe", entry<describe>);
  registerFunction(env, exports, addon, "call", entry<callOperator>);
  registerFunction(env, exports, addon, "operatorNames", entry<operatorNames>);
}

}  // namespace looprpt
