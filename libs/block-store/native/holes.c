// Gives the space of a range of a file back to the file system, which Node has no function for. Links with nothing.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <node_api.h>
#include <stdint.h>

#define MAX_SAFE_INTEGER INT64_C(9007199254740991)

static napi_value fail(napi_env env, const char *message) {
  napi_throw_error(env, NULL, message);
  return NULL;
}

static int punch_hole(int fd, int64_t offset, int64_t length) {
#ifdef __linux__
  int result;
  do result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
  while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
#else
  (void)fd;
  (void)offset;
  (void)length;
  return EOPNOTSUPP;
#endif
}

// punch(fd: number, offset: number, length: number): number; 0, or the error number. The range reads as zeros afterwards.
static napi_value punch(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  int64_t fd, offset, length;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 3 ||
      napi_get_value_int64(env, args[0], &fd) != napi_ok || napi_get_value_int64(env, args[1], &offset) != napi_ok ||
      napi_get_value_int64(env, args[2], &length) != napi_ok)
    return fail(env, "punch(fd, offset, length)");
  if (fd < 0 || fd > INT_MAX || offset < 0 || length <= 0 || offset > MAX_SAFE_INTEGER - length)
    return fail(env, "the range is outside of any file");
  napi_value result;
  if (napi_create_int32(env, punch_hole((int)fd, offset, length), &result) != napi_ok)
    return fail(env, "could not answer");
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {{"punch", NULL, punch, NULL, NULL, NULL, napi_default, NULL}};
  if (napi_define_properties(env, exports, 1, functions) != napi_ok) return fail(env, "could not define the function");
  return exports;
}
