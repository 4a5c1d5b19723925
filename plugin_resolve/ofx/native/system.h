/* What differs between operating systems: the way to the server, shared memory, processes.
 * Paths and texts are UTF-8. */
#ifndef HOUSESTYLE_SYSTEM_H
#define HOUSESTYLE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HS_PATH_BYTES = 4096, HS_MESSAGE_BYTES = 1024 };

typedef enum hs_outcome {
    HS_DONE,
    HS_FAILED,  /* for good: a message says why */
    HS_BROKEN,  /* the server is gone */
    HS_ABORTED  /* the host does not want the frame any more */
} hs_outcome;

typedef struct hs_abort {
    int (*asked)(void *effect);
    void *effect;
} hs_abort;

typedef struct hs_memory {
    unsigned char *bytes;
    size_t size;
    intptr_t handle;
    char name[64]; /* empty where the handle itself is passed on */
} hs_memory;

/* Mutual exclusion of the host's threads; one lock is enough for what is shared. */
void hs_take_lock(void);
void hs_give_lock(void);
void hs_pause(int milliseconds);

/* The file that this code was loaded from. */
bool hs_own_path(char path[HS_PATH_BYTES]);
/* The user's folder for styles; core/style.py looks there. */
bool hs_user_styles(char path[HS_PATH_BYTES]);
void hs_each_file(const char *folder, void (*visit)(const char *name, void *context),
                  void *context);

/* At most `size` - 1 bytes of a file, and a zero; false if it can't be read. */
bool hs_read_file(const char *path, char *text, size_t size);
/* What the server says of itself; false if there is none, or if it isn't this user's alone. */
bool hs_read_rendezvous(char *text, size_t size);

/* Only a server of the same user is connected to. */
bool hs_connect(const char *address, intptr_t *channel);
void hs_disconnect(intptr_t channel);
/* `shared` goes along if it isn't NULL. */
hs_outcome hs_send(intptr_t channel, const void *bytes, size_t size, const hs_memory *shared);
/* Exactly `size` bytes; asks `abort` now and then. */
hs_outcome hs_receive(intptr_t channel, void *bytes, size_t size, const hs_abort *abort);

bool hs_make_memory(hs_memory *memory, size_t size);
void hs_free_memory(hs_memory *memory);

/* Runs a command, ended by NULL, with an environment that is free of the host's own Python and
 * libraries. HS_DONE when the server listens (on Windows: when its process runs); `message` is what
 * it said meanwhile. */
hs_outcome hs_start_server(char *const command[], const hs_abort *abort,
                           char message[HS_MESSAGE_BYTES]);

#endif
