// SPDX-License-Identifier: Apache-2.0
/*
 * Compares src/triton_api.h with the official headers at compile time; it has nothing to run.
 * triton_api_check.cmake writes triton_api_names.inc from our header: one TSB_VALUE line per
 * enumerator, one TSB_ENUM line per enum, one TSB_SIGNATURE line per function, one TSB_CALLBACK line per
 * callback type and one TSB_OBJECT line per opaque struct, so that no name in the header can escape the
 * comparison. Names that the header says appeared after the release of the official headers are left out.
 */
#include <triton/core/tritonbackend.h>
#include <triton/core/tritonserver.h>

#include <type_traits>

/* Our enums, with types of their own: only their values and sizes can be compared. */
namespace ours {
#define TSB_TRITON_API_NO_FUNCTIONS
#include "../src/triton_api.h"
#undef TSB_TRITON_API_NO_FUNCTIONS
}  // namespace ours

/* Objects that appeared after these headers; signatures of ours name them. */
#include "triton_api_missing.inc"

/* Our signatures, written over the official types: here the whole type must be the same. */
namespace ours_over_official {
#include "../src/triton_api.h"
}  // namespace ours_over_official

#define TSB_VALUE(name)                                                     \
  static_assert(static_cast<long>(ours::name) == static_cast<long>(::name), \
                "triton_api.h gives " #name " another value than the official header");
#define TSB_OLD_VALUE(name, value)                    \
  static_assert(static_cast<long>(::name) == (value), \
                "triton_api.h says that " #name " was once " #value ", unlike the official header");
#define TSB_ENUM(name)                                                                                           \
  static_assert(sizeof(ours::name) == sizeof(::name),                                                            \
                "triton_api.h gives " #name " another size than the official header");                           \
  static_assert(std::is_same<std::underlying_type<ours::name>::type, std::underlying_type<::name>::type>::value, \
                "triton_api.h gives " #name " another integer type than the official header");
#define TSB_SIGNATURE(name)                                                                  \
  static_assert(std::is_same<decltype(&ours_over_official::name), decltype(&::name)>::value, \
                "triton_api.h declares " #name " unlike the official header");
#define TSB_CALLBACK(name)                                             \
  static_assert(std::is_same<ours_over_official::name, ::name>::value, \
                "triton_api.h declares " #name " unlike the official header");

/* An object is opaque in both; what is passed of it is its address. */
#define TSB_OBJECT(name) static_assert(std::is_class<ours::name>::value, #name " is an opaque object");

#include "triton_api_names.inc"

/* The minor versions do not tell: ModelInstanceReady came without a new one. */
static_assert(TSB_TRITON_BACKEND_API_MAJOR == TRITONBACKEND_API_VERSION_MAJOR,
              "triton_api.h was written for another major version of the backend API");
static_assert(TSB_TRITON_SERVER_API_MAJOR == TRITONSERVER_API_VERSION_MAJOR,
              "triton_api.h was written for another major version of the server API");
