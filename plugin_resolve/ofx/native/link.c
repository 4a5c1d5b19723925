#include "link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROTOCOL = 3,
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

typedef struct br_link {
    intptr_t channel;
    br_memory memory;
    struct br_link *next;
} br_link;

/* Connections that no thread is using. */
static br_link *idle;

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

static void close_link(br_link *link) {
    if (!link) return;
    br_disconnect(link->channel);
    br_free_memory(&link->memory);
    free(link);
}

/* Receives the server's answer; its text becomes the message if it refused. */
static br_outcome answer(br_link *link, const br_abort *abort, char message[BR_MESSAGE_BYTES]) {
    uint32_t header[2];
    char text[BR_MESSAGE_BYTES] = {0};
    br_outcome outcome = br_receive(link->channel, header, sizeof header, abort);
    if (outcome != BR_DONE) return outcome;
    if (header[1] >= sizeof text) return BR_BROKEN;
    outcome = br_receive(link->channel, text, header[1], abort);
    if (outcome != BR_DONE) return outcome;
    if (header[0] == DONE) return BR_DONE;
    memcpy(message, text, sizeof text);
    return BR_FAILED;
}

static br_outcome ask(br_link *link, request *asked, const br_memory *shared, const br_abort *abort,
                      char message[BR_MESSAGE_BYTES]) {
    uint32_t body = (uint32_t)(asked->size - 2 * sizeof(uint32_t));
    memcpy(asked->bytes + sizeof(uint32_t), &body, sizeof body);
    br_outcome outcome = br_send(link->channel, asked->bytes, asked->size, shared);
    return outcome == BR_DONE ? answer(link, abort, message) : outcome;
}

static br_outcome greet(br_link *link, const char *token, const br_abort *abort,
                        char message[BR_MESSAGE_BYTES]) {
    request hello;
    begin(&hello, HELLO);
    put_number(&hello, PROTOCOL);
    put(&hello, token, TOKEN_BYTES);
    return ask(link, &hello, NULL, abort, message);
}

/* BR_BROKEN if there is no server. */
static br_outcome open_link(br_link **opened, const br_abort *abort,
                            char message[BR_MESSAGE_BYTES]) {
    char text[BR_PATH_BYTES];
    if (!br_read_rendezvous(text, sizeof text)) return BR_BROKEN;
    char *token = strchr(text, '\n');
    if (!token || strlen(token) < 1 + TOKEN_BYTES) return BR_BROKEN;
    *token++ = 0;
    br_link *link = calloc(1, sizeof *link);
    if (!link) return BR_BROKEN;
    if (!br_connect(text, &link->channel)) {
        free(link);
        return BR_BROKEN;
    }
    br_outcome outcome = greet(link, token, abort, message);
    if (outcome == BR_DONE)
        *opened = link;
    else
        close_link(link);
    return outcome;
}

bool br_read_installation(br_installation *installation) {
    char path[BR_PATH_BYTES];
    if (!br_own_path(path)) return false;
    for (int levels = 0; levels < 2; levels++) {
        char *slash = strrchr(path, '/'), *backslash = strrchr(path, '\\');
        if (backslash > slash) slash = backslash;
        if (!slash) return false;
        *slash = 0;
    }
    if (strlen(path) + sizeof "/Resources/server" > sizeof path) return false;
    strcat(path, "/Resources/server");
    memset(installation, 0, sizeof *installation);
    if (!br_read_file(path, installation->text, sizeof installation->text)) return false;
    char *line = installation->text;
    for (size_t i = 0; i < sizeof installation->command / sizeof *installation->command; i++) {
        char *end = strchr(line, '\n');
        if (!end) break;
        *end = 0;
        if (i)
            installation->command[i - 1] = line;
        else
            installation->shipped = line;
        line = end + 1;
    }
    return installation->command[0] != NULL;
}

static br_outcome start(const br_abort *abort, char message[BR_MESSAGE_BYTES]) {
    br_installation installation;
    if (!br_read_installation(&installation)) {
        snprintf(message, BR_MESSAGE_BYTES,
                 "this copy of the effect was not installed by: brushreel resolve install --ofx");
        return BR_FAILED;
    }
    char words[BR_MESSAGE_BYTES] = {0};
    br_outcome outcome = br_start_server(installation.command, abort, words);
    if (outcome == BR_FAILED)
        snprintf(message, BR_MESSAGE_BYTES, "the render server can't be started: %.900s",
                 *words ? words : installation.command[0]);
    return outcome;
}

/* A second server ends by itself if another is running, so that starting one too many does no
 * harm; starting again is necessary when a server is just ending. */
static br_outcome open_or_start(br_link **opened, const br_abort *abort,
                                char message[BR_MESSAGE_BYTES]) {
    br_outcome outcome = open_link(opened, abort, message);
    for (int waited = 0; outcome == BR_BROKEN; waited += START_INTERVAL_MS) {
        if (abort->asked(abort->effect)) return BR_ABORTED;
        if (waited > START_PATIENCE_MS) {
            snprintf(message, BR_MESSAGE_BYTES, "the render server does not answer");
            return BR_FAILED;
        }
        if (waited % STARTS_EVERY_MS == 0) {
            outcome = start(abort, message);
            if (outcome != BR_DONE) return outcome;
        }
        outcome = open_link(opened, abort, message);
        if (outcome == BR_BROKEN) br_pause(START_INTERVAL_MS);
    }
    return outcome;
}

static br_link *take_idle(void) {
    br_take_lock();
    br_link *link = idle;
    if (link) idle = link->next;
    br_give_lock();
    return link;
}

static void give_back(br_link *link) {
    br_take_lock();
    link->next = idle;
    idle = link;
    br_give_lock();
}

void br_forget_links(void) {
    for (br_link *link; (link = take_idle());) close_link(link);
}

static br_outcome share(br_link *link, size_t size, const br_abort *abort,
                        char message[BR_MESSAGE_BYTES]) {
    if (link->memory.size >= size) return BR_DONE;
    br_free_memory(&link->memory);
    if (!br_make_memory(&link->memory, size)) {
        snprintf(message, BR_MESSAGE_BYTES, "no shared memory for a frame of %zu bytes", size);
        return BR_FAILED;
    }
    uint64_t bytes = size;
    request memory;
    begin(&memory, MEMORY);
    put(&memory, &bytes, sizeof bytes);
    put_text(&memory, link->memory.name);
    br_outcome outcome = ask(link, &memory, &link->memory, abort, message);
    if (outcome != BR_DONE) br_free_memory(&link->memory);
    return outcome;
}

static br_outcome render(br_link *link, const br_job *job, const br_image *source,
                         const br_abort *abort, char message[BR_MESSAGE_BYTES]) {
    request asked;
    begin(&asked, RENDER);
    put_number(&asked, (uint32_t)(source->bounds.x2 - source->bounds.x1));
    put_number(&asked, (uint32_t)(source->bounds.y2 - source->bounds.y1));
    put_number(&asked, job->depth);
    put_number(&asked, job->premultiplied);
    put_number(&asked, job->keep_colors);
    put_number(&asked, job->draft);
    put_number(&asked, job->keep_bars);
    put_number(&asked, job->transform);
    put(&asked, &job->strength, sizeof job->strength);
    put(&asked, &job->stroke_size, sizeof job->stroke_size);
    put(&asked, &job->detail, sizeof job->detail);
    put(&asked, &job->full_width, sizeof job->full_width);
    put(&asked, &job->full_height, sizeof job->full_height);
    put_text(&asked, job->style);
    put_text(&asked, job->colourspace);
    br_gather(source, link->memory.bytes);
    return ask(link, &asked, NULL, abort, message);
}

static br_outcome stylize(br_link *link, const br_job *job, const br_image *source,
                          const br_image *target, OfxRectI window, const br_abort *abort,
                          char message[BR_MESSAGE_BYTES]) {
    br_outcome outcome = share(link, br_image_bytes(source), abort, message);
    if (outcome == BR_DONE) outcome = render(link, job, source, abort, message);
    if (outcome == BR_DONE) br_scatter(link->memory.bytes, source->bounds, window, target);
    return outcome;
}

br_outcome br_stylize(const br_job *job, const br_image *source, const br_image *target,
                      OfxRectI window, const br_abort *abort, char message[BR_MESSAGE_BYTES]) {
    int deaths = 0;
    while (deaths <= DEATHS_FORGIVEN) {
        br_link *link = take_idle();
        bool fresh = !link;
        br_outcome outcome = fresh ? open_or_start(&link, abort, message) : BR_DONE;
        if (outcome != BR_DONE) return outcome;
        outcome = stylize(link, job, source, target, window, abort, message);
        if (outcome == BR_DONE || (outcome == BR_FAILED && link->memory.bytes)) {
            give_back(link);
            return outcome;
        }
        close_link(link);
        if (outcome != BR_BROKEN) return outcome;
        /* Older connections to a dead server say nothing about this frame. */
        if (fresh)
            deaths++;
        else
            br_forget_links();
    }
    snprintf(message, BR_MESSAGE_BYTES, "the render server died %d times over this frame", deaths);
    return BR_FAILED;
}
