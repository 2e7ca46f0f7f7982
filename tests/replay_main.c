/* Replays corpora through a fuzz target without libFuzzer: every file of the directories given,
 * in the order of their names, so that a failure is the same on every machine. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_BYTES_MAX (64L << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Runs one file; its bytes are a heap block of exactly that size, so that ASan sees one past it. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long len = -1;
    int ok = 0;

    if (file && fseek(file, 0, SEEK_END) == 0)
        len = ftell(file);
    if (len >= 0 && len <= REPLAY_BYTES_MAX && fseek(file, 0, SEEK_SET) == 0)
        bytes = malloc(len > 0 ? (size_t)len : 1);
    if (bytes && fread(bytes, 1, (size_t)len, file) == (size_t)len) {
        (void)LLVMFuzzerTestOneInput(bytes, (size_t)len);
        ok = 1;
    } else {
        (void)fprintf(stderr, "replay: cannot read %s\n", path);
    }
    free(bytes);
    if (file)
        (void)fclose(file);
    return ok;
}

/* Returns how many files ran, or -1 where one could not be read. */
static long replay_directory(const char *at)
{
    struct dirent **entries = NULL;
    long ran = 0;
    int count = scandir(at, &entries, NULL, alphasort);

    if (count < 0)
        (void)fprintf(stderr, "replay: no directory %s\n", at);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        const char *name = entries[i]->d_name;

        if (name[0] != '.' && ran >= 0) {
            (void)snprintf(path, sizeof(path), "%s/%s", at, name);
            ran = replay_file(path) ? ran + 1 : -1;
        }
        free(entries[i]);
    }
    free(entries);
    return count < 0 ? -1 : ran;
}

int main(int argc, char **argv)
{
    long total = 0;

    for (int i = 1; i < argc; i++) {
        long ran = replay_directory(argv[i]);

        if (ran < 0)
            return 1;
        total += ran;
    }
    (void)printf("replay: %ld inputs\n", total);
    return total > 0 ? 0 : 1; /* a corpus without files proves nothing */
}
