// Memory-mapped files: token shards as bytes, checkpoints as tensors, both without a copy.
//
// Mappings are private (copy on write): nothing written through them reaches the file. A mapping lives until the
// MappedFile is closed and the last tensor or buffer over it is gone.
#include "addon.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace looprpt {

struct Mapping {
  char* data = nullptr;
  size_t length = 0;
  ~Mapping() {
    if (length > 0) munmap(data, length);
  }
};

static napi_value mapFile(const Call& call) {
  const std::string path = call.string(0);
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  TORCH_CHECK(file >= 0, path, ": ", std::strerror(errno));
  struct stat status;
  auto mapping = std::make_shared<Mapping>();
  std::string problem;
  if (fstat(file, &status) != 0) {
    problem = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    problem = "not a regular file";
  } else if (status.st_size > 0) {
    void* data = mmap(nullptr, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
      problem = std::strerror(errno);
    } else {
      mapping->data = static_cast<char*>(data);
      mapping->length = status.st_size;
    }
  }
  close(file);
  TORCH_CHECK(problem.empty(), path, ": ", problem);
  return call.fromNumber(call.addon.mappings.add(std::move(mapping)));
}

// mappedBytes(mapping) -> ArrayBuffer over the whole file
static napi_value mappedBytes(const Call& call) {
  auto* owner = new std::shared_ptr<Mapping>(call.addon.mappings.at(call.int32(0)));
  napi_value buffer;
  if ((*owner)->length == 0) {
    delete owner;
    void* nothing;
    napi_create_arraybuffer(call.env, 0, &nothing, &buffer);
    return buffer;
  }
  const napi_status status = napi_create_external_arraybuffer(
      call.env, (*owner)->data, (*owner)->length,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Mapping>*>(hint); }, owner, &buffer);
  if (status != napi_ok) delete owner;
  TORCH_CHECK(status == napi_ok, "this runtime does not allow views of native memory");
  return buffer;
}

// mappedTensor(mapping, byteOffset, dtype, sizes) -> a CPU tensor over the file's own pages. The offset has to be a
// multiple of the element size.
static napi_value mappedTensor(const Call& call) {
  std::shared_ptr<Mapping> mapping = call.addon.mappings.at(call.int32(0));
  const int64_t offset = call.int64(1);
  const at::ScalarType type = parseDType(call.string(2));
  const std::vector<int64_t> shape = call.sizes(3);
  const auto elementBytes = static_cast<int64_t>(c10::elementSize(type));
  const auto available = static_cast<int64_t>(mapping->length);
  int64_t bytes = elementBytes;
  for (const int64_t size : shape) {
    TORCH_CHECK(size >= 0 && (size == 0 || bytes <= available / size), "a tensor of shape ", shape, " does not lie within the file");
    bytes *= size;
  }
  TORCH_CHECK(offset >= 0 && offset <= available - bytes, "a tensor of shape ", shape, " at byte ", offset, " does not lie within the file");
  TORCH_CHECK(offset % elementBytes == 0, "byte ", offset, " is not a multiple of the element size");
  return call.fromTensor(at::from_blob(mapping->data + offset, shape, [mapping](void*) {}, at::TensorOptions(type)));
}

static napi_value unmapFile(const Call& call) {
  call.addon.mappings.release(call.int32(0));
  return call.undefined();
}

void registerFiles(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "mapFile", entry<mapFile>);
  registerFunction(env, exports, addon, "mappedBytes", entry<mappedBytes>);
  registerFunction(env, exports, addon, "mappedTensor", entry<mappedTensor>);
  registerFunction(env, exports, addon, "unmapFile", entry<unmapFile>);
}

}  // namespace looprpt
