/* What differs between operating systems: the way to the server, shared memory, processes.
 * Paths and texts are UTF-8. */
#ifndef BRUSHREEL_SYSTEM_H
#define BRUSHREEL_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BR_PATH_BYTES = 4096, BR_MESSAGE_BYTES = 1024 };

typedef enum br_outcome {
    BR_DONE,
    BR_FAILED, /* for good: a message says why */
    BR_BROKEN, /* the server is gone */
    BR_ABORTED /* the host does not want the frame any more */
} br_outcome;

typedef struct br_abort {
    int (*asked)(void *effect);
    void *effect;
} br_abort;

typedef struct br_memory {
    unsigned char *bytes;
    size_t size;
    intptr_t handle;
    char name[64]; /* empty where the handle itself is passed on */
} br_memory;

/* Mutual exclusion of the host's threads; one lock is enough for what is shared. */
void br_take_lock(void);
void br_give_lock(void);
void br_pause(int milliseconds);

/* The file that this code was loaded from. */
bool br_own_path(char path[BR_PATH_BYTES]);
/* The user's folder for styles; core/style.py looks there. */
bool br_user_styles(char path[BR_PATH_BYTES]);
void br_each_file(const char *folder, void (*visit)(const char *name, void *context),
                  void *context);

/* At most `size` - 1 bytes of a file, and a zero; false if it can't be read. */
bool br_read_file(const char *path, char *text, size_t size);
/* What the server says of itself; false if there is none, or if it isn't this user's alone. */
bool br_read_rendezvous(char *text, size_t size);

/* Only a server of the same user is connected to. */
bool br_connect(const char *address, intptr_t *channel);
void br_disconnect(intptr_t channel);
/* `shared` goes along if it isn't NULL. */
br_outcome br_send(intptr_t channel, const void *bytes, size_t size, const br_memory *shared);
/* Exactly `size` bytes; asks `abort` now and then. */
br_outcome br_receive(intptr_t channel, void *bytes, size_t size, const br_abort *abort);

bool br_make_memory(br_memory *memory, size_t size);
void br_free_memory(br_memory *memory);

/* Runs a command, ended by NULL, with an environment that is free of the host's own Python and
 * libraries. BR_DONE when the server listens (on Windows: when its process runs); `message` is what
 * it said meanwhile. */
br_outcome br_start_server(char *const command[], const br_abort *abort,
                           char message[BR_MESSAGE_BYTES]);

#endif
