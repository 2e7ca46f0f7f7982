/* The files of a bare model, read into sealed memory and hashed on the way: what was hashed is what
 * is loaded, whatever happens to the files. The .onnx first; then the external data that a
 * sandboxed child has found named in it, from the same directory.
 * Reading goes in steps, so that a loop is not held up by gigabytes.
 *
 * Between loads the memory can be released. The files stay open meanwhile, so that what was
 * replaced or removed on disk can still be read again; and the second reading must find the digests
 * of the first.
 *
 * The path of the model is the operator's and may be a link. A name of external data is the model's
 * claim: plain (no separator, not "." or ".."), and a regular file itself, never a
 * link, and without another hard link, which could be a file from elsewhere.
 *
 * errors  ERR_INPUT: a name or file that may not be read, with the reason; ERR_NOT_FOUND: no such
 *         file; ERR_UNAVAILABLE: no memory, or the disk failed
 * thread  owned by one thread; blocks on the disk
 * source  first-order.md 23, release-format.md section 13 */
#ifndef GARRISON_REGISTRY_MODEL_FILE_H
#define GARRISON_REGISTRY_MODEL_FILE_H

#include <stdint.h>

#include "base/digest.h"

#define MODEL_FILES_MAX      257u /* the model and its external data */
#define MODEL_FILE_NAME_MAX  255u
#define MODEL_FILE_BYTES_MAX (1ull << 40)

struct model_files;

/* One file: name is "" for the model. fd is sealed and stays the set's; -1: not read, or released.
 */
struct model_file {
    char name[MODEL_FILE_NAME_MAX + 1];
    int fd;
    uint64_t bytes;
    uint8_t digest[DIGEST_BYTES];
};

/* Opens the model at path; nothing is read yet. *ret is yours: model_files_free. */
MUST_USE err model_files_open(const char *path, struct model_files **ret, struct fault *f);
void model_files_free(struct model_files *m); /* NULL is a no-op */

/* Adds external data to be read; a name that is there already is no error. */
MUST_USE err model_files_add(struct model_files *m, str name, struct fault *f);

/* Reads up to max bytes further. *ret_done: all files known so far are read and sealed.
 * errors  also ERR_CONFLICT: a file changed its size while it was read, or is not what was read
 *         before the release */
MUST_USE err model_files_step(struct model_files *m, uint64_t max, bool *ret_done, struct fault *f);

/* Gives the memory back, wherever the reading stands: the next step begins anew with the first
 * file. Names, sizes and digests stay known. */
void model_files_release(struct model_files *m);

uint32_t model_files_count(const struct model_files *m);
const struct model_file *model_files_at(const struct model_files *m, uint32_t i);
uint64_t model_files_bytes(const struct model_files *m); /* of all files together */

/* The digest of the model: of the .onnx, or where there is external data the SHA-256 over the
 * digests of the .onnx and then of each external file in the order of its name. All are read. */
void model_files_digest(const struct model_files *m, uint8_t ret[DIGEST_BYTES]);

#endif
