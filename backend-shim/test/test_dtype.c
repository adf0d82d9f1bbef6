// SPDX-License-Identifier: Apache-2.0
// One row of tsb_dtype.def, one datatype of Triton.
#include "dtype.h"

#include "check.h"
#include "triton_api.h"

static void test_datatypes(void) {
  CHECK_INT(tsb_dtype_bytes(TRITONSERVER_TYPE_FP64), 8);
  CHECK_INT(tsb_dtype_bytes(TRITONSERVER_TYPE_BF16), 2);
  CHECK_INT(tsb_dtype_bytes(TRITONSERVER_TYPE_BYTES), 0);
  CHECK_INT(tsb_dtype_bytes(0), -1);
  CHECK_INT(tsb_dtype_bytes(15), -1);
  CHECK_TEXT(tsb_dtype_name(TRITONSERVER_TYPE_BOOL), "BOOL");
  CHECK_TEXT(tsb_dtype_name(99), "an unknown datatype");
  CHECK_INT(tsb_dtype_from_config("TYPE_STRING"), TRITONSERVER_TYPE_BYTES);
  CHECK_INT(tsb_dtype_from_config("TYPE_UINT64"), TRITONSERVER_TYPE_UINT64);
  CHECK_INT(tsb_dtype_from_config("FP32"), TRITONSERVER_TYPE_INVALID);
}

int main(void) {
  test_datatypes();
  return 0;
}
