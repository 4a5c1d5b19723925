#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROTOCOL = 1,
    HELLO = 1,
    MEMORY = 2,
    RENDER = 3,
    DONE = 0,
    TOKEN_BYTES = 64,
    MOST_REQUEST_BYTES = 1024,
    DEATHS_FORGIVEN = 3,
    START_PATIENCE_MS = 30000,
    START_INTERVAL_MS = 50,
    STARTS_EVERY_MS = 2000
};

typedef struct hs_link {
    intptr_t channel;
    hs_memory memory;
    struct hs_link *next;
} hs_link;

/* Connections that no thread uses now. */
static hs_link *idle;

typedef struct request {
    size_t size;
    unsigned char bytes[MOST_REQUEST_BYTES];
} request;

/* Every system that the effect is built for is little-endian, as is the protocol. */
static void put(request *to, const void *bytes, size_t size) {
    if (to->size + size > sizeof to->bytes) return;
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void put_number(request *to, uint32_t number) { put(to, &number, sizeof number); }

static void put_text(request *to, const char *text) {
    size_t length = strlen(text);
    if (length > 255) length = 255;
    put_number(to, (uint32_t)length);
    put(to, text, length);
}

static void begin(request *to, uint32_t kind) {
    to->size = 0;
    put_number(to, kind);
    put_number(to, 0);
}

static void close_link(hs_link *link) {
    if (!link) return;
    hs_disconnect(link->channel);
    hs_free_memory(&link->memory);
    free(link);
}

/* The server's answer; its text, if it has refused, is the message. */
static hs_outcome answer(hs_link *link, const hs_abort *abort, char message[HS_MESSAGE_BYTES]) {
    uint32_t header[2];
    char text[HS_MESSAGE_BYTES] = {0};
    hs_outcome outcome = hs_receive(link->channel, header, sizeof header, abort);
    if (outcome != HS_DONE) return outcome;
    if (header[1] >= sizeof text) return HS_BROKEN;
    outcome = hs_receive(link->channel, text, header[1], abort);
    if (outcome != HS_DONE) return outcome;
    if (header[0] == DONE) return HS_DONE;
    memcpy(message, text, sizeof text);
    return HS_FAILED;
}

static hs_outcome ask(hs_link *link, request *asked, const hs_memory *shared,
                      const hs_abort *abort, char message[HS_MESSAGE_BYTES]) {
    uint32_t body = (uint32_t)(asked->size - 2 * sizeof(uint32_t));
    memcpy(asked->bytes + sizeof(uint32_t), &body, sizeof body);
    hs_outcome outcome = hs_send(link->channel, asked->bytes, asked->size, shared);
    return outcome == HS_DONE ? answer(link, abort, message) : outcome;
}

static hs_outcome greet(hs_link *link, const char *token, const hs_abort *abort,
                        char message[HS_MESSAGE_BYTES]) {
    request hello;
    begin(&hello, HELLO);
    put_number(&hello, PROTOCOL);
    put(&hello, token, TOKEN_BYTES);
    return ask(link, &hello, NULL, abort, message);
}

/* HS_BROKEN if no server is there. */
static hs_outcome open_link(hs_link **opened, const hs_abort *abort,
                            char message[HS_MESSAGE_BYTES]) {
    char text[HS_PATH_BYTES];
    if (!hs_read_rendezvous(text, sizeof text)) return HS_BROKEN;
    char *token = strchr(text, '\n');
    if (!token || strlen(token) < 1 + TOKEN_BYTES) return HS_BROKEN;
    *token++ = 0;
    hs_link *link = calloc(1, sizeof *link);
    if (!link) return HS_BROKEN;
    if (!hs_connect(text, &link->channel)) {
        free(link);
        return HS_BROKEN;
    }
    hs_outcome outcome = greet(link, token, abort, message);
    if (outcome == HS_DONE) *opened = link;
    else close_link(link);
    return outcome;
}

bool hs_read_installation(hs_installation *installation) {
    char path[HS_PATH_BYTES];
    if (!hs_own_path(path)) return false;
    for (int levels = 0; levels < 2; levels++) {
        char *slash = strrchr(path, '/'), *backslash = strrchr(path, '\\');
        if (backslash > slash) slash = backslash;
        if (!slash) return false;
        *slash = 0;
    }
    if (strlen(path) + sizeof "/Resources/server" > sizeof path) return false;
    strcat(path, "/Resources/server");
    memset(installation, 0, sizeof *installation);
    if (!hs_read_file(path, installation->text, sizeof installation->text)) return false;
    char *line = installation->text;
    for (size_t i = 0; i < sizeof installation->command / sizeof *installation->command; i++) {
        char *end = strchr(line, '\n');
        if (!end) break;
        *end = 0;
        if (i) installation->command[i - 1] = line;
        else installation->shipped = line;
        line = end + 1;
    }
    return installation->command[0] != NULL;
}

static hs_outcome start(const hs_abort *abort, char message[HS_MESSAGE_BYTES]) {
    hs_installation installation;
    if (!hs_read_installation(&installation)) {
        snprintf(message, HS_MESSAGE_BYTES,
                 "this copy of the effect was not installed by: housestyle resolve install --ofx");
        return HS_FAILED;
    }
    char words[HS_MESSAGE_BYTES] = {0};
    hs_outcome outcome = hs_start_server(installation.command, abort, words);
    if (outcome == HS_FAILED)
        snprintf(message, HS_MESSAGE_BYTES, "the render server can't be started: %.900s",
                 *words ? words : installation.command[0]);
    return outcome;
}

/* A second server ends by itself if another has been faster, so that starting one too many does
 * no harm; one that is just about to end makes starting again necessary. */
static hs_outcome open_or_start(hs_link **opened, const hs_abort *abort,
                                char message[HS_MESSAGE_BYTES]) {
    hs_outcome outcome = open_link(opened, abort, message);
    for (int waited = 0; outcome == HS_BROKEN; waited += START_INTERVAL_MS) {
        if (abort->asked(abort->effect)) return HS_ABORTED;
        if (waited > START_PATIENCE_MS) {
            snprintf(message, HS_MESSAGE_BYTES, "the render server does not answer");
            return HS_FAILED;
        }
        if (waited % STARTS_EVERY_MS == 0) {
            outcome = start(abort, message);
            if (outcome != HS_DONE) return outcome;
        }
        outcome = open_link(opened, abort, message);
        if (outcome == HS_BROKEN) hs_pause(START_INTERVAL_MS);
    }
    return outcome;
}

static hs_link *take_idle(void) {
    hs_take_lock();
    hs_link *link = idle;
    if (link) idle = link->next;
    hs_give_lock();
    return link;
}

static void give_back(hs_link *link) {
    hs_take_lock();
    link->next = idle;
    idle = link;
    hs_give_lock();
}

void hs_forget_links(void) {
    for (hs_link *link; (link = take_idle());) close_link(link);
}

static hs_outcome share(hs_link *link, size_t size, const hs_abort *abort,
                        char message[HS_MESSAGE_BYTES]) {
    if (link->memory.size >= size) return HS_DONE;
    hs_free_memory(&link->memory);
    if (!hs_make_memory(&link->memory, size)) {
        snprintf(message, HS_MESSAGE_BYTES, "no shared memory for a frame of %zu bytes", size);
        return HS_FAILED;
    }
    uint64_t bytes = size;
    request memory;
    begin(&memory, MEMORY);
    put(&memory, &bytes, sizeof bytes);
    put_text(&memory, link->memory.name);
    hs_outcome outcome = ask(link, &memory, &link->memory, abort, message);
    if (outcome != HS_DONE) hs_free_memory(&link->memory);
    return outcome;
}

static hs_outcome render(hs_link *link, const hs_job *job, const hs_picture *source,
                         const hs_abort *abort, char message[HS_MESSAGE_BYTES]) {
    request asked;
    begin(&asked, RENDER);
    put_number(&asked, (uint32_t)(source->bounds.x2 - source->bounds.x1));
    put_number(&asked, (uint32_t)(source->bounds.y2 - source->bounds.y1));
    put_number(&asked, job->depth);
    put_number(&asked, job->premultiplied);
    put_number(&asked, job->keep_colors);
    put_number(&asked, job->draft);
    put_number(&asked, job->transform);
    put(&asked, &job->strength, sizeof job->strength);
    put_text(&asked, job->style);
    put_text(&asked, job->colourspace);
    hs_gather(source, link->memory.bytes);
    return ask(link, &asked, NULL, abort, message);
}

static hs_outcome painted(hs_link *link, const hs_job *job, const hs_picture *source,
                          const hs_picture *target, OfxRectI window, const hs_abort *abort,
                          char message[HS_MESSAGE_BYTES]) {
    hs_outcome outcome = share(link, hs_picture_bytes(source), abort, message);
    if (outcome == HS_DONE) outcome = render(link, job, source, abort, message);
    if (outcome == HS_DONE) hs_scatter(link->memory.bytes, source->bounds, window, target);
    return outcome;
}

hs_outcome hs_paint(const hs_job *job, const hs_picture *source, const hs_picture *target,
                    OfxRectI window, const hs_abort *abort, char message[HS_MESSAGE_BYTES]) {
    int deaths = 0;
    while (deaths <= DEATHS_FORGIVEN) {
        hs_link *link = take_idle();
        bool fresh = !link;
        hs_outcome outcome = fresh ? open_or_start(&link, abort, message) : HS_DONE;
        if (outcome != HS_DONE) return outcome;
        outcome = painted(link, job, source, target, window, abort, message);
        if (outcome == HS_DONE || (outcome == HS_FAILED && link->memory.bytes)) {
            give_back(link);
            return outcome;
        }
        close_link(link);
        if (outcome != HS_BROKEN) return outcome;
        /* Older connections to a dead server say nothing about this frame. */
        if (fresh) deaths++;
        else hs_forget_links();
    }
    snprintf(message, HS_MESSAGE_BYTES, "the render server died %d times over this frame", deaths);
    return HS_FAILED;
}
