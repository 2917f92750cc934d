// The door to every operator: look one up by name and overload, read its schema, call it through the dispatcher
// (autograd, autocast and devices come with that).
#include "addon.h"

#include <sstream>

namespace looprpt {

static bool writesTo(const c10::AliasInfo* info) { return info != nullptr && info->isWrite(); }

static std::vector<ReturnKind> returnKinds(const c10::FunctionSchema& schema) {
  std::vector<ReturnKind> kinds;
  for (const auto& result : schema.returns()) {
    ReturnKind kind{ReturnKind::kValue, -1};
    if (writesTo(result.alias_info())) {
      for (size_t i = 0; i < schema.arguments().size(); ++i) {
        const auto* alias = schema.arguments()[i].alias_info();
        if (writesTo(alias) && alias->beforeSets() == result.alias_info()->beforeSets())
          kind = {ReturnKind::kArgument, static_cast<int>(i)};
      }
    }
    if (kind.kind == ReturnKind::kValue) {
      if (result.type()->kind() == c10::TypeKind::TensorType) {
        kind.kind = ReturnKind::kTensor;
      } else if (result.type()->kind() == c10::TypeKind::ListType &&
                 result.type()->castRaw<c10::ListType>()->getElementType()->kind() == c10::TypeKind::TensorType) {
        kind.kind = ReturnKind::kTensorList;
      }
    }
    kinds.push_back(kind);
  }
  return kinds;
}

// resolve("aten::add", "Tensor") -> operator id
static napi_value resolve(const Call& call) {
  const std::string name = call.string(0), overload = call.string(1), key = name + "." + overload;
  const auto known = call.addon.operatorIds.find(key);
  if (known != call.addon.operatorIds.end()) return call.fromNumber(known->second);
  auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
  TORCH_CHECK(handle.has_value(), "libtorch has no operator ", name, overload.empty() ? "" : ".", overload);
  const auto id = static_cast<int32_t>(call.addon.operators.size());
  call.addon.operators.push_back({*handle, returnKinds(handle->schema())});
  call.addon.operatorIds.emplace(key, id);
  return call.fromNumber(id);
}

// describe(id) -> {schema, arguments: names, returns: per result 't' tensor, 'l' tensor list, 'v' value or the index of
// the mutated argument that it is}
static napi_value describe(const Call& call) {
  const Operator& op = call.addon.operators.at(call.int32(0));
  std::ostringstream schema;
  schema << op.handle.schema();
  napi_value description, arguments, returns;
  napi_create_object(call.env, &description);
  napi_create_array(call.env, &arguments);
  napi_create_array(call.env, &returns);
  uint32_t i = 0;
  for (const auto& argument : op.handle.schema().arguments())
    napi_set_element(call.env, arguments, i++, call.fromString(argument.name()));
  i = 0;
  for (const auto& kind : op.returns) {
    static const char* const names[] = {"t", "l", "v"};
    napi_set_element(call.env, returns, i++,
                     kind.kind == ReturnKind::kArgument ? call.fromNumber(kind.argument) : call.fromString(names[kind.kind]));
  }
  napi_set_named_property(call.env, description, "schema", call.fromString(schema.str()));
  napi_set_named_property(call.env, description, "arguments", arguments);
  napi_set_named_property(call.env, description, "returns", returns);
  return description;
}

// call(id, ...arguments) -> the result, or an array of results; undefined stands for a result that is an argument
static napi_value callOperator(const Call& call) {
  const Operator& op = call.addon.operators.at(call.int32(0));
  const auto& arguments = op.handle.schema().arguments();
  TORCH_CHECK(call.argc - 1 <= arguments.size(), op.handle.operator_name(), " takes ", arguments.size(),
              " arguments, ", call.argc - 1, " were given");
  torch::jit::Stack stack;
  stack.reserve(arguments.size() > op.returns.size() ? arguments.size() : op.returns.size());
  for (size_t i = 0; i < arguments.size(); ++i)
    stack.push_back(toIValue(call, i + 1 < call.argc ? call.argv[i + 1] : nullptr, arguments[i]));
  op.handle.callBoxed(&stack);
  const auto result = [&](size_t i) {
    return op.returns[i].kind == ReturnKind::kArgument ? call.undefined() : fromIValue(call, stack[i]);
  };
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
    napi_set_element(call.env, array, i++, call.fromString(name.overload_name.empty() ? name.name : name.name + "." + name.overload_name));
  return array;
}

void registerDispatch(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "resolve", entry<resolve>);
  registerFunction(env, exports, addon, "describe", entry<describe>);
  registerFunction(env, exports, addon, "call", entry<callOperator>);
  registerFunction(env, exports, addon, "operatorNames", entry<operatorNames>);
}

}  // namespace looprpt
