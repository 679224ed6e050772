// The few PKCS#11 calls that wrapping under a token's key takes: AES-256-GCM, and making, listing and destroying keys. Every
// call to the token runs on a thread of Node's pool, in a session of its own, and resolves a promise.
//
// The module is opened by its path at run time and the structures are declared here, so this links with nothing and one
// binary serves every Node with Node-API 8. Names and numbers are those of PKCS#11 2.40 (OASIS), in Unix packing.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <node_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ck_ulong;
typedef unsigned char ck_byte;
typedef struct { ck_ulong type; void *value; ck_ulong bytes; } ck_attribute;
typedef struct { ck_ulong mechanism; void *parameter; ck_ulong bytes; } ck_mechanism;
typedef struct { void *create_mutex, *destroy_mutex, *lock_mutex, *unlock_mutex; ck_ulong flags; void *reserved; } ck_initialize_args;
typedef struct { ck_byte *iv; ck_ulong iv_bytes; ck_ulong iv_bits; ck_byte *aad; ck_ulong aad_bytes; ck_ulong tag_bits; } ck_gcm_params;
// CK_FUNCTION_LIST is a version and then functions, always in the same order.
typedef struct { ck_byte version[2]; void (*functions[68])(void); } ck_function_list;

enum {
  INITIALIZE = 0, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, CLOSE_SESSION = 13, LOGIN = 18,
  DESTROY_OBJECT = 22, GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS_INIT = 26, FIND_OBJECTS = 27, FIND_OBJECTS_FINAL = 28,
  ENCRYPT_INIT = 29, ENCRYPT = 30, DECRYPT_INIT = 33, DECRYPT = 34, GENERATE_KEY = 58
};
#define CKR_OK 0x0UL
#define CKR_USER_ALREADY_LOGGED_IN 0x100UL
#define CKR_CRYPTOKI_ALREADY_INITIALIZED 0x191UL
// Vendor range; ours, for JavaScript to tell apart.
#define NO_SUCH_TOKEN 0x80480001UL
#define NO_SUCH_KEY 0x80480002UL
#define NOT_LOADED 0x80480003UL
#define NO_MEMORY 0x80480004UL
#define CKF_OS_LOCKING_OK 2UL
#define CKF_RW_SERIAL_SESSION 6UL
#define CKU_USER 1UL
#define CKO_SECRET_KEY 4UL
#define CKK_AES 0x1fUL
#define CKM_AES_KEY_GEN 0x1080UL
#define CKM_AES_GCM 0x1087UL
enum {
  CKA_CLASS = 0, CKA_TOKEN = 1, CKA_PRIVATE = 2, CKA_LABEL = 3, CKA_KEY_TYPE = 0x100, CKA_ID = 0x102, CKA_SENSITIVE = 0x103,
  CKA_ENCRYPT = 0x104, CKA_DECRYPT = 0x105, CKA_WRAP = 0x106, CKA_UNWRAP = 0x107, CKA_VALUE_LEN = 0x161, CKA_EXTRACTABLE = 0x162
};

#define TOKEN_MAGIC UINT64_C(0x504b43535f313131)
#define TAG_BYTES 16
#define MAX_INPUTS 6
#define MAX_SLOTS 64
#define MAX_KEYS 1024
#define MAX_LABEL_BYTES 128
#define MAX_ID_BYTES 64
#define TOKEN_LABEL_BYTES 32

typedef struct {
  uint64_t magic;
  ck_function_list *list;
  ck_ulong slot;
  ck_ulong session; // Keeps the login: a token logs out when the last session of a process ends.
  bool open;
} token;

typedef struct { ck_byte label[MAX_LABEL_BYTES], id[MAX_ID_BYTES]; ck_ulong label_bytes, id_bytes, value_bytes; ck_byte sensitive, extractable; } key_info;
typedef struct { ck_byte *bytes; size_t length; } input;
typedef enum { OPEN, CLOSE, LIST, GENERATE, DESTROY, SEAL, UNSEAL } operation;

typedef struct {
  operation operation;
  token *token;
  napi_ref token_ref; // The token outlives what is under way.
  input inputs[MAX_INPUTS];
  ck_byte *output;
  ck_ulong output_bytes;
  key_info *keys;
  size_t key_count;
  ck_ulong result;
  const char *call;
  char detail[256];
  napi_deferred deferred;
  napi_async_work work;
} job;

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static void wipe(void *bytes, size_t length) {
  volatile ck_byte *at = bytes;
  while (length-- > 0) *at++ = 0;
}

// CALL(token, LOGIN, (types), arguments): the function at that place of the list.
#define CALL(t, index, types, ...) (((ck_ulong(*) types)(t)->list->functions[index])(__VA_ARGS__))

static bool failed(job *j, const char *call, ck_ulong result) {
  if (result == CKR_OK) return false;
  j->result = result;
  j->call = call;
  return true;
}

// ---- the token

static bool find_slot(job *j, token *t, const input *label) {
  ck_ulong slots[MAX_SLOTS], count = MAX_SLOTS;
  if (failed(j, "C_GetSlotList", CALL(t, GET_SLOT_LIST, (ck_byte, ck_ulong *, ck_ulong *), 1, slots, &count))) return false;
  ck_byte wanted[TOKEN_LABEL_BYTES];
  memset(wanted, ' ', sizeof wanted);
  if (label->length <= sizeof wanted) memcpy(wanted, label->bytes, label->length);
  for (ck_ulong i = 0; i < count && label->length <= sizeof wanted; i += 1) {
    ck_byte info[512]; // CK_TOKEN_INFO is smaller, and begins with the label.
    if (CALL(t, GET_TOKEN_INFO, (ck_ulong, void *), slots[i], info) != CKR_OK) continue;
    if (memcmp(info, wanted, sizeof wanted) != 0) continue;
    t->slot = slots[i];
    return true;
  }
  failed(j, "C_GetTokenInfo", NO_SUCH_TOKEN);
  return false;
}

static bool open_session(job *j, token *t, ck_ulong *session) {
  return !failed(j, "C_OpenSession",
                 CALL(t, OPEN_SESSION, (ck_ulong, ck_ulong, void *, void *, ck_ulong *), t->slot, CKF_RW_SERIAL_SESSION, NULL, NULL, session));
}

static void close_session(token *t, ck_ulong session) { CALL(t, CLOSE_SESSION, (ck_ulong), session); }

static bool load(job *j, token *t, const input *path) {
  int flags = RTLD_NOW | RTLD_LOCAL;
#ifdef RTLD_DEEPBIND
  flags |= RTLD_DEEPBIND; // Node exports an OpenSSL of its own, which is not the one that the module was built with.
#endif
  // Never closed: a module that others of this process may use stays initialized until the process ends.
  void *module = dlopen((const char *)path->bytes, flags);
  ck_ulong (*get)(ck_function_list **) = NULL;
  if (module != NULL) *(void **)&get = dlsym(module, "C_GetFunctionList");
  if (get == NULL) {
    const char *reason = dlerror();
    snprintf(j->detail, sizeof j->detail, "%s", reason == NULL ? "no PKCS#11 module" : reason);
    return !failed(j, "dlopen", NOT_LOADED);
  }
  if (failed(j, "C_GetFunctionList", get(&t->list))) return false;
  ck_initialize_args args = {.flags = CKF_OS_LOCKING_OK};
  ck_ulong result = CALL(t, INITIALIZE, (void *), &args);
  return result == CKR_CRYPTOKI_ALREADY_INITIALIZED || !failed(j, "C_Initialize", result);
}

// inputs: path of the module (ends with a zero byte), label of the token, PIN
static void run_open(job *j) {
  token *t = j->token;
  pthread_mutex_lock(&opening);
  if (load(j, t, &j->inputs[0]) && find_slot(j, t, &j->inputs[1]) && open_session(j, t, &t->session)) {
    ck_ulong result = CALL(t, LOGIN, (ck_ulong, ck_ulong, ck_byte *, ck_ulong), t->session, CKU_USER, j->inputs[2].bytes,
                           (ck_ulong)j->inputs[2].length);
    if (result == CKR_USER_ALREADY_LOGGED_IN || !failed(j, "C_Login", result)) t->open = true;
    else close_session(t, t->session);
  }
  pthread_mutex_unlock(&opening);
}

// ---- its keys

static bool find_objects(job *j, ck_ulong session, ck_attribute *template, ck_ulong attributes, ck_ulong *objects, ck_ulong *count) {
  token *t = j->token;
  ck_ulong found = 1, max = *count;
  *count = 0;
  if (failed(j, "C_FindObjectsInit",
             CALL(t, FIND_OBJECTS_INIT, (ck_ulong, ck_attribute *, ck_ulong), session, template, attributes)))
    return false;
  bool ok = true;
  while (ok && found > 0 && *count < max) {
    ok = !failed(j, "C_FindObjects", CALL(t, FIND_OBJECTS, (ck_ulong, ck_ulong *, ck_ulong, ck_ulong *), session,
                                          objects + *count, max - *count, &found));
    if (ok) *count += found;
  }
  CALL(t, FIND_OBJECTS_FINAL, (ck_ulong), session);
  return ok;
}

// The key of inputs[0], its label, and inputs[1], its id.
static bool find_key(job *j, ck_ulong session, ck_ulong *object) {
  ck_ulong class = CKO_SECRET_KEY, type = CKK_AES, count = 1;
  ck_byte yes = 1;
  ck_attribute template[] = {
      {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &yes, sizeof yes},
      {CKA_LABEL, j->inputs[0].bytes, j->inputs[0].length}, {CKA_ID, j->inputs[1].bytes, j->inputs[1].length},
  };
  if (!find_objects(j, session, template, 5, object, &count)) return false;
  return count == 1 || !failed(j, "C_FindObjects", NO_SUCH_KEY);
}

static bool read_key(job *j, ck_ulong session, ck_ulong object, key_info *key) {
  key->extractable = 1; // What a token does not say is taken for the worse.
  ck_attribute template[] = {
      {CKA_LABEL, key->label, sizeof key->label}, {CKA_ID, key->id, sizeof key->id},
      {CKA_VALUE_LEN, &key->value_bytes, sizeof key->value_bytes}, {CKA_SENSITIVE, &key->sensitive, 1},
      {CKA_EXTRACTABLE, &key->extractable, 1},
  };
  if (failed(j, "C_GetAttributeValue",
             CALL(j->token, GET_ATTRIBUTE_VALUE, (ck_ulong, ck_ulong, ck_attribute *, ck_ulong), session, object, template, 5)))
    return false;
  key->label_bytes = template[0].bytes;
  key->id_bytes = template[1].bytes;
  return true;
}

static void run_list(job *j, ck_ulong session) {
  ck_ulong class = CKO_SECRET_KEY, type = CKK_AES, count = MAX_KEYS;
  ck_byte yes = 1;
  ck_attribute template[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &yes, sizeof yes}};
  ck_ulong *objects = calloc(MAX_KEYS, sizeof *objects);
  j->keys = calloc(MAX_KEYS, sizeof *j->keys);
  if (objects == NULL || j->keys == NULL) failed(j, "malloc", NO_MEMORY);
  else if (find_objects(j, session, template, 3, objects, &count)) {
    for (ck_ulong i = 0; i < count; i += 1) {
      // Another program's key may have attributes that are too long for us, or none: it is not ours, then.
      job probe = *j;
      memset(&j->keys[j->key_count], 0, sizeof *j->keys);
      if (read_key(&probe, session, objects[i], &j->keys[j->key_count])) j->key_count += 1;
    }
  }
  free(objects);
}

static void run_generate(job *j, ck_ulong session) {
  ck_ulong class = CKO_SECRET_KEY, type = CKK_AES, bytes = 32, object;
  ck_byte yes = 1, no = 0;
  ck_attribute template[] = {
      {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_VALUE_LEN, &bytes, sizeof bytes},
      {CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1},
      {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1}, {CKA_WRAP, &no, 1}, {CKA_UNWRAP, &no, 1},
      {CKA_LABEL, j->inputs[0].bytes, j->inputs[0].length}, {CKA_ID, j->inputs[1].bytes, j->inputs[1].length},
  };
  ck_mechanism mechanism = {CKM_AES_KEY_GEN, NULL, 0};
  failed(j, "C_GenerateKey", CALL(j->token, GENERATE_KEY, (ck_ulong, ck_mechanism *, ck_attribute *, ck_ulong, ck_ulong *), session,
                                  &mechanism, template, sizeof template / sizeof template[0], &object));
}

static void run_destroy(job *j, ck_ulong session) {
  ck_ulong object;
  if (!find_key(j, session, &object)) return;
  failed(j, "C_DestroyObject", CALL(j->token, DESTROY_OBJECT, (ck_ulong, ck_ulong), session, object));
}

// inputs: label, id, IV, additional data, text
static void run_cipher(job *j, ck_ulong session, bool encrypt) {
  token *t = j->token;
  ck_ulong object;
  const input *iv = &j->inputs[2], *aad = &j->inputs[3], *text = &j->inputs[4];
  if (!find_key(j, session, &object)) return;
  ck_gcm_params gcm = {iv->bytes, iv->length, iv->length * 8, aad->bytes, aad->length, TAG_BYTES * 8};
  ck_mechanism mechanism = {CKM_AES_GCM, &gcm, sizeof gcm};
  if (failed(j, encrypt ? "C_EncryptInit" : "C_DecryptInit",
             CALL(t, encrypt ? ENCRYPT_INIT : DECRYPT_INIT, (ck_ulong, ck_mechanism *, ck_ulong), session, &mechanism, object)))
    return;
  j->output_bytes = text->length + TAG_BYTES;
  j->output = calloc(1, j->output_bytes);
  if (j->output == NULL) {
    failed(j, "malloc", NO_MEMORY);
    return;
  }
  failed(j, encrypt ? "C_Encrypt" : "C_Decrypt",
         CALL(t, encrypt ? ENCRYPT : DECRYPT, (ck_ulong, ck_byte *, ck_ulong, ck_byte *, ck_ulong *), session, text->bytes,
              text->length, j->output, &j->output_bytes));
}

static void execute(napi_env env, void *data) {
  (void)env;
  job *j = data;
  token *t = j->token;
  if (j->operation == OPEN) return run_open(j);
  if (j->operation == CLOSE) {
    if (t->open) close_session(t, t->session);
    t->open = false;
    return;
  }
  ck_ulong session;
  if (!t->open) {
    failed(j, "C_OpenSession", NO_SUCH_TOKEN);
    return;
  }
  if (!open_session(j, t, &session)) return;
  if (j->operation == LIST) run_list(j, session);
  else if (j->operation == GENERATE) run_generate(j, session);
  else if (j->operation == DESTROY) run_destroy(j, session);
  else run_cipher(j, session, j->operation == SEAL);
  close_session(t, session);
}

// ---- to and from JavaScript

static void destroy_token(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  token *t = data;
  if (t->open) close_session(t, t->session);
  free(t);
}

static void release(napi_env env, job *j) {
  for (int i = 0; i < MAX_INPUTS; i += 1) {
    if (j->inputs[i].bytes == NULL) continue;
    wipe(j->inputs[i].bytes, j->inputs[i].length);
    free(j->inputs[i].bytes);
  }
  if (j->output != NULL) {
    wipe(j->output, j->inputs[4].length + TAG_BYTES);
    free(j->output);
  }
  free(j->keys);
  if (j->token_ref != NULL) napi_delete_reference(env, j->token_ref);
  if (j->work != NULL) napi_delete_async_work(env, j->work);
  free(j);
}

static napi_value set(napi_env env, napi_value object, const char *name, napi_value value) {
  napi_set_named_property(env, object, name, value);
  return object;
}

static napi_value list_of(napi_env env, const job *j) {
  napi_value list, key, value;
  napi_create_array_with_length(env, j->key_count, &list);
  for (size_t i = 0; i < j->key_count; i += 1) {
    const key_info *info = &j->keys[i];
    napi_create_object(env, &key);
    napi_create_string_utf8(env, (const char *)info->label, info->label_bytes, &value);
    set(env, key, "label", value);
    napi_create_buffer_copy(env, info->id_bytes, info->id, NULL, &value);
    set(env, key, "id", value);
    napi_create_int64(env, (int64_t)info->value_bytes, &value);
    set(env, key, "bytes", value);
    napi_get_boolean(env, info->sensitive != 0 && info->extractable == 0, &value);
    set(env, key, "staysInside", value);
    napi_set_element(env, list, (uint32_t)i, key);
  }
  return list;
}

static napi_value error_of(napi_env env, const job *j) {
  napi_value message, error, value;
  napi_create_string_utf8(env, j->detail[0] == 0 ? j->call : j->detail, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, NULL, message, &error);
  napi_create_string_utf8(env, j->call, NAPI_AUTO_LENGTH, &value);
  set(env, error, "call", value);
  napi_create_int64(env, (int64_t)j->result, &value);
  return set(env, error, "result", value);
}

static void complete(napi_env env, napi_status status, void *data) {
  job *j = data;
  napi_value value;
  if (status != napi_ok) failed(j, "cancelled", NOT_LOADED);
  if (j->result != CKR_OK) {
    napi_reject_deferred(env, j->deferred, error_of(env, j));
  } else {
    if (j->operation == OPEN) napi_get_reference_value(env, j->token_ref, &value);
    else if (j->operation == LIST) value = list_of(env, j);
    else if (j->output != NULL) napi_create_buffer_copy(env, j->output_bytes, j->output, NULL, &value);
    else napi_get_undefined(env, &value);
    napi_resolve_deferred(env, j->deferred, value);
  }
  release(env, j);
}

static napi_value fail(napi_env env, job *j, const char *message) {
  release(env, j);
  napi_throw_error(env, NULL, message);
  return NULL;
}

static bool take_input(napi_env env, napi_value value, input *into) {
  void *bytes;
  if (napi_get_buffer_info(env, value, &bytes, &into->length) != napi_ok) return false;
  into->bytes = malloc(into->length + 1);
  if (into->bytes == NULL) return false;
  if (into->length > 0) memcpy(into->bytes, bytes, into->length);
  into->bytes[into->length] = 0; // A path is read as a string.
  return true;
}

static bool take_token(napi_env env, napi_value value, job *j) {
  napi_valuetype type;
  void *data = NULL;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external ||
      napi_get_value_external(env, value, &data) != napi_ok || data == NULL || ((token *)data)->magic != TOKEN_MAGIC)
    return false;
  j->token = data;
  return napi_create_reference(env, value, 1, &j->token_ref) == napi_ok;
}

static bool new_token(napi_env env, job *j) {
  napi_value external;
  token *t = calloc(1, sizeof *t);
  if (t == NULL) return false;
  t->magic = TOKEN_MAGIC;
  if (napi_create_external(env, t, destroy_token, NULL, &external) != napi_ok) {
    free(t);
    return false;
  }
  j->token = t;
  return napi_create_reference(env, external, 1, &j->token_ref) == napi_ok;
}

// Starts an operation on a token (the first argument, but for OPEN) with that many buffers. @returns a promise
static napi_value start(napi_env env, napi_callback_info info, operation operation, size_t inputs) {
  napi_value args[MAX_INPUTS + 1], promise, name;
  size_t count = MAX_INPUTS + 1, first = operation == OPEN ? 0 : 1;
  job *j = calloc(1, sizeof *j);
  if (j == NULL) return NULL;
  j->operation = operation;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != inputs + first)
    return fail(env, j, "wrong number of arguments");
  if (operation == OPEN ? !new_token(env, j) : !take_token(env, args[0], j)) return fail(env, j, "not a token");
  for (size_t i = 0; i < inputs; i += 1)
    if (!take_input(env, args[first + i], &j->inputs[i])) return fail(env, j, "not a Buffer");
  if (napi_create_string_utf8(env, "holdfast:pkcs11", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, j, &j->work) != napi_ok ||
      napi_create_promise(env, &j->deferred, &promise) != napi_ok || napi_queue_async_work(env, j->work) != napi_ok)
    return fail(env, j, "could not start the work");
  return promise;
}

static napi_value js_open(napi_env env, napi_callback_info info) { return start(env, info, OPEN, 3); }
static napi_value js_close(napi_env env, napi_callback_info info) { return start(env, info, CLOSE, 0); }
static napi_value js_list(napi_env env, napi_callback_info info) { return start(env, info, LIST, 0); }
static napi_value js_generate(napi_env env, napi_callback_info info) { return start(env, info, GENERATE, 2); }
static napi_value js_destroy(napi_env env, napi_callback_info info) { return start(env, info, DESTROY, 2); }
static napi_value js_encrypt(napi_env env, napi_callback_info info) { return start(env, info, SEAL, 5); }
static napi_value js_decrypt(napi_env env, napi_callback_info info) { return start(env, info, UNSEAL, 5); }

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
      {"open", NULL, js_open, NULL, NULL, NULL, napi_default, NULL},
      {"close", NULL, js_close, NULL, NULL, NULL, napi_default, NULL},
      {"list", NULL, js_list, NULL, NULL, NULL, napi_default, NULL},
      {"generate", NULL, js_generate, NULL, NULL, NULL, napi_default, NULL},
      {"destroy", NULL, js_destroy, NULL, NULL, NULL, napi_default, NULL},
      {"encrypt", NULL, js_encrypt, NULL, NULL, NULL, napi_default, NULL},
      {"decrypt", NULL, js_decrypt, NULL, NULL, NULL, napi_default, NULL},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof functions[0], functions);
  return exports;
}
