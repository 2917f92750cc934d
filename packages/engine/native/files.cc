// Memory-mapped files: token shards as bytes, checkpoints as tensors, both without a copy. And mapped memory without a
// file, in large pages, for what is read over and over.
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

// mapMemory(bytes) -> a mapping of zeros of our own, in large pages where the system has them: a stream of reads then
// crosses a page of 2 MiB where it would cross 512 of 4 KiB.
static napi_value mapMemory(const Call& call) {
  constexpr size_t kLargePage = size_t{2} << 20;
  const int64_t wanted = call.int64(0);
  TORCH_CHECK(wanted > 0, "memory of ", wanted, " bytes cannot be mapped");
  const size_t length = (static_cast<size_t>(wanted) + kLargePage - 1) / kLargePage * kLargePage;
  void* all = mmap(nullptr, length + kLargePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TORCH_CHECK(all != MAP_FAILED, "memory of ", wanted, " bytes: ", std::strerror(errno));
  // A large page begins where its address is a multiple of its size; what lies before and behind goes back.
  char* const from = static_cast<char*>(all);
  const size_t before = (kLargePage - reinterpret_cast<uintptr_t>(all) % kLargePage) % kLargePage;
  if (before > 0) munmap(from, before);
  munmap(from + before + length, kLargePage - before);
#ifdef MADV_HUGEPAGE
  madvise(from + before, length, MADV_HUGEPAGE);
#endif
  auto mapping = std::make_shared<Mapping>();
  mapping->data = from + before;
  mapping->length = length;
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
  registerFunction(env, exports, addon, "mapMemory", entry<mapMemory>);
  registerFunction(env, exports, addon, "mappedBytes", entry<mappedBytes>);
  registerFunction(env, exports, addon, "mappedTensor", entry<mappedTensor>);
  registerFunction(env, exports, addon, "unmapFile", entry<unmapFile>);
  registerFunction(env, exports, addon, "removeOnFault", entry<removeOnFaultOf>);
}

}  // namespace looprpt
