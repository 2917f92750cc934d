// What happens when a mapped file becomes shorter while it is in use: reading a page behind its end is a SIGBUS, which
// would end the process without a word. Instead one line names the file, and the exit code is 1.
//
// Not here: going on. The pages are gone, and whoever reads them is in the middle of a kernel.
#pragma once

#include <cstddef>
#include <string>

namespace looprpt {

// From now on a fault within [data, data + length) is put down to `path`. Any thread.
void watchMapping(const void* data, size_t length, const std::string& path);
void forgetMapping(const void* data);

// A file that the end by such a fault removes too; an empty path takes that back.
void removeOnFault(const std::string& path);

}  // namespace looprpt
