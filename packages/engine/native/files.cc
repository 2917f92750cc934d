// Memory-mapped files: token shards as bytes, checkpoints as tensors, both without a copy.
//
// Mappings are private (copy on write): nothing written through them reaches the file. A mapping lives until the
// MappedFile is closed and the last tensor or buffer over it is gone.
#include "addon.h"
#include "shrunk_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace looprpt {

struct Mapping {
  static constexpr const char* kName = "mapped file";
  char* data = nullptr;
  size_t length = 0;
  ~Mapping() {
    if (length == 0) return;
    forgetMapping(data);
    munmap(data, length);
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
    // not reserved: a file larger than memory can be mapped, pages are copied only where something is written
    void* data = mmap(nullptr, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0);
    if (data == MAP_FAILED) {
      problem = std::strerror(errno);
    } else {
      mapping->data = static_cast<char*>(data);
      mapping->length = status.st_size;
      watchMapping(data, mapping->length, path);
    }
  }
  close(file);
  TORCH_CHECK(problem.empty(), path, ": ", problem);
  return call.fromNumber(call.addon.mappings.add(std::move(mapping)));
}

// mappedBytes(mapping) -> ArrayBuffer over the whole file
static napi_value mappedBytes(const Call& call) {
  const std::shared_ptr<Mapping>& mapping = call.addon.mappings.at(call.int32(0));
  return call.fromMemory(mapping->data, mapping->length, mapping);
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
  const bool nothing = std::find(shape.begin(), shape.end(), 0) != shape.end();
  int64_t bytes = nothing ? 0 : elementBytes;
  bool fits = true;
  for (const int64_t size : shape) {
    fits = fits && size >= 0 && (nothing || bytes <= available / size);
    if (fits) bytes *= size;
  }
  TORCH_CHECK(fits && offset >= 0 && offset <= available - bytes, dtypeName(type), " ", at::IntArrayRef(shape),
              " at byte ", offset, " does not lie within the file of ", available, " bytes");
  TORCH_CHECK(offset % elementBytes == 0, "byte ", offset, " is not a multiple of the ", elementBytes, " bytes of ",
              dtypeName(type));
  return call.fromTensor(at::from_blob(mapping->data + offset, shape, [mapping](void*) {}, at::TensorOptions(type)));
}

static napi_value unmapFile(const Call& call) {
  call.addon.mappings.release(call.int32(0));
  return call.undefined();
}

// removeOnFault(path): the file goes with the process if a mapped file becomes shorter; '' takes that back
static napi_value removeOnFaultOf(const Call& call) {
  removeOnFault(call.string(0));
  return call.undefined();
}

void registerFiles(napi_env env, napi_value exports, Addon* addon) {
  registerFunction(env, exports, addon, "mapFile", entry<mapFile>);
  registerFunction(env, exports, addon, "mappedBytes", entry<mappedBytes>);
  registerFunction(env, exports, addon, "mappedTensor", entry<mappedTensor>);
  registerFunction(env, exports, addon, "unmapFile", entry<unmapFile>);
  registerFunction(env, exports, addon, "removeOnFault", entry<removeOnFaultOf>);
}

}  // namespace looprpt
