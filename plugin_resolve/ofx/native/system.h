/* The parts that differ between operating systems: channels, shared memory, processes.
 * Paths and texts are UTF-8. */
#ifndef BRUSHREEL_SYSTEM_H
#define BRUSHREEL_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BR_PATH_BYTES = 4096, BR_MESSAGE_BYTES = 1024 };

typedef enum br_outcome {
    BR_DONE,
    BR_FAILED, /* finally: a message says why */
    BR_BROKEN, /* the server has ended */
    BR_ABORTED /* the host has cancelled the frame */
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

/* One lock for everything that the host's threads share. */
void br_take_lock(void);
void br_give_lock(void);
void br_pause(int milliseconds);

/* The file that this code was loaded from. */
bool br_own_path(char path[BR_PATH_BYTES]);
/* The user's folder for styles, the same as in core/style.py. */
bool br_user_styles(char path[BR_PATH_BYTES]);
void br_each_file(const char *folder, void (*visit)(const char *name, void *context),
                  void *context);

/* Reads at most `size` - 1 bytes of a file and adds a zero; false if it can't be read. */
bool br_read_file(const char *path, char *text, size_t size);
/* Reads the server's address and token; false if there is none that is private to this user. */
bool br_read_rendezvous(char *text, size_t size);

/* Connects only to a server of the same user. */
bool br_connect(const char *address, intptr_t *channel);
void br_disconnect(intptr_t channel);
/* Sends `shared` along if it is not NULL. */
br_outcome br_send(intptr_t channel, const void *bytes, size_t size, const br_memory *shared);
/* Receives exactly `size` bytes; asks `abort` repeatedly. */
br_outcome br_receive(intptr_t channel, void *bytes, size_t size, const br_abort *abort);

bool br_make_memory(br_memory *memory, size_t size);
void br_free_memory(br_memory *memory);

/* Runs a command, ended by NULL, with an environment that is free of the host's own Python and
 * libraries. BR_DONE when the server listens (on Windows: when its process runs); `message` is its
 * standard error up to then. */
br_outcome br_start_server(char *const command[], const br_abort *abort,
                           char message[BR_MESSAGE_BYTES]);

#endif
