/* SHA-256 by OpenSSL's EVP. A failing EVP call after a successful start can only be a bug. */
#include "base/digest.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/must.h"

struct digest {
    EVP_MD_CTX *context;
};

err digest_new(struct digest **ret_d, struct fault *f)
{
    struct digest *d = calloc(1, sizeof(*d));
    if (!d)
        return fail(f, ERR_UNAVAILABLE, "no memory for a digest");
    d->context = EVP_MD_CTX_new();
    if (!d->context || EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1) {
        digest_free(d);
        return fail(f, ERR_UNAVAILABLE, "SHA-256 is not available");
    }
    *ret_d = d;
    return OK;
}

void digest_add(struct digest *d, const void *at, uint64_t len)
{
    must(EVP_DigestUpdate(d->context, at, len) == 1);
}

void digest_end(struct digest *d, uint8_t ret[DIGEST_BYTES])
{
    unsigned len = 0;
    must(EVP_DigestFinal_ex(d->context, ret, &len) == 1 && len == DIGEST_BYTES);
    must(EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) == 1);
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->context);
    free(d);
}

void digest_of(const void *at, uint64_t len, uint8_t ret[DIGEST_BYTES])
{
    unsigned n = 0;
    must(EVP_Digest(at, len, ret, &n, EVP_sha256(), NULL) == 1 && n == DIGEST_BYTES);
}
