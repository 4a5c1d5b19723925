/* Linux and macOS: a Unix socket in a private folder, which carries anonymous shared memory. */
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#include "system.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS has a socket option instead */
#endif

extern char **environ;

#ifndef BR_START_SECONDS
#define BR_START_SECONDS 60 /* the tests' build waits less long */
#endif

enum { ABORT_INTERVAL_MS = 20 };

static pthread_mutex_t the_lock = PTHREAD_MUTEX_INITIALIZER;

void br_take_lock(void) { pthread_mutex_lock(&the_lock); }
void br_give_lock(void) { pthread_mutex_unlock(&the_lock); }

void br_pause(int milliseconds) {
    struct timespec span = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    nanosleep(&span, NULL);
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool joined(char path[BR_PATH_BYTES], const char *folder, const char *rest) {
    int length = snprintf(path, BR_PATH_BYTES, "%s%s", folder, rest);
    return length > 0 && length < BR_PATH_BYTES;
}

bool br_own_path(char path[BR_PATH_BYTES]) {
    Dl_info info;
    /* C has no cast from function to object pointer, POSIX has. */
    if (!dladdr((void *)(uintptr_t)&br_own_path, &info) || !info.dli_fname) return false;
    char *resolved = realpath(info.dli_fname, NULL);
    bool fits = resolved && joined(path, resolved, "");
    free(resolved);
    return fits;
}

bool br_user_styles(char path[BR_PATH_BYTES]) {
    const char *home = getenv("HOME");
#ifdef __APPLE__
    return home && joined(path, home, "/Library/Application Support/brushreel/styles");
#else
    const char *data = getenv("XDG_DATA_HOME");
    if (data && *data) return joined(path, data, "/brushreel/styles");
    return home && joined(path, home, "/.local/share/brushreel/styles");
#endif
}

void br_each_file(const char *folder, void (*visit)(const char *, void *), void *context) {
    DIR *directory = opendir(folder);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) visit(entry->d_name, context);
    closedir(directory);
}

static bool read_text(int file, char *text, size_t size) {
    ssize_t length = read(file, text, size - 1);
    if (length >= 0) text[length] = 0;
    return length >= 0;
}

bool br_read_file(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    bool read_it = read_text(file, text, size);
    close(file);
    return read_it;
}

static bool is_private(const struct stat *about) {
    return about->st_uid == geteuid() && !(about->st_mode & 077);
}

/* The same rule as in server_folder.py. */
static bool runtime_folder(char path[BR_PATH_BYTES]) {
#ifndef __APPLE__
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && *runtime == '/') return joined(path, runtime, "/brushreel");
#endif
    return snprintf(path, BR_PATH_BYTES, "/tmp/brushreel-%lu", (unsigned long)geteuid()) > 0;
}

bool br_read_rendezvous(char *text, size_t size) {
    char folder[BR_PATH_BYTES], path[BR_PATH_BYTES];
    struct stat about;
    if (!runtime_folder(folder) || !joined(path, folder, "/server")) return false;
    if (lstat(folder, &about) || !S_ISDIR(about.st_mode) || !is_private(&about)) return false;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return false;
    bool good = !fstat(file, &about) && is_private(&about) && read_text(file, text, size);
    close(file);
    return good;
}

static bool is_same_user(int channel) {
#ifdef __linux__
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == geteuid();
#else
    uid_t user;
    gid_t group;
    return !getpeereid(channel, &user, &group) && user == geteuid();
#endif
}

bool br_connect(const char *path, intptr_t *channel) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return false;
    strcpy(address.sun_path, path);
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connection < 0) return false;
    fcntl(connection, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
    setsockopt(connection, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    if (connect(connection, (struct sockaddr *)&address, sizeof address) ||
        !is_same_user(connection)) {
        close(connection);
        return false;
    }
    *channel = connection;
    return true;
}

void br_disconnect(intptr_t channel) { close((int)channel); }

br_outcome br_send(intptr_t channel, const void *bytes, size_t size, const br_memory *shared) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (shared) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &(int){(int)shared->handle}, sizeof(int));
    }
    while (part.iov_len) {
        ssize_t sent = sendmsg((int)channel, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return BR_BROKEN;
        part.iov_base = (char *)part.iov_base + sent;
        part.iov_len -= (size_t)sent;
        message.msg_control = NULL;
        message.msg_controllen = 0;
    }
    return BR_DONE;
}

br_outcome br_receive(intptr_t channel, void *bytes, size_t size, const br_abort *abort) {
    struct pollfd waiting = {.fd = (int)channel, .events = POLLIN};
    char *next = bytes;
    while (size) {
        int ready = poll(&waiting, 1, ABORT_INTERVAL_MS);
        if (ready < 0 && errno != EINTR) return BR_BROKEN;
        if (ready <= 0) {
            if (abort && abort->asked(abort->effect)) return BR_ABORTED;
            continue;
        }
        ssize_t received = recv((int)channel, next, size, 0);
        if (received < 0 && errno == EINTR) continue;
        if (received <= 0) return BR_BROKEN;
        next += received;
        size -= (size_t)received;
    }
    return BR_DONE;
}

/* Memory without a name can't be left over if a process dies, and no other can find it. */
static int anonymous_memory(size_t size) {
#ifdef __linux__
    enum { CLOSE_ON_EXEC = 1, ALLOW_SEALING = 2, ADD_SEALS = 1033, NO_SHRINKING = 2 };
    int file = (int)syscall(SYS_memfd_create, "brushreel", CLOSE_ON_EXEC | ALLOW_SEALING);
    if (file < 0) return -1;
    /* Touching memory that was truncated would kill the server, which insists on the seal. */
    if (!ftruncate(file, (off_t)size) && !fcntl(file, ADD_SEALS, NO_SHRINKING)) return file;
#else
    char name[32];
    snprintf(name, sizeof name, "/brushreel-%08x", arc4random());
    int file = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (file < 0) return -1;
    shm_unlink(name);
    fcntl(file, F_SETFD, FD_CLOEXEC);
    if (!ftruncate(file, (off_t)size)) return file;
#endif
    close(file);
    return -1;
}

bool br_make_memory(br_memory *memory, size_t size) {
    int file = anonymous_memory(size);
    if (file < 0) return false;
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED) {
        close(file);
        return false;
    }
    *memory = (br_memory){.bytes = bytes, .size = size, .handle = file};
    return true;
}

void br_free_memory(br_memory *memory) {
    if (!memory->bytes) return;
    munmap(memory->bytes, memory->size);
    close((int)memory->handle);
    *memory = (br_memory){0};
}

/* The host's loader paths and Python settings would break ours. */
static bool is_foreign(const char *variable) {
    return !strncmp(variable, "PYTHON", 6) || !strncmp(variable, "LD_", 3) ||
           !strncmp(variable, "DYLD_", 5);
}

static char **clean_environment(void) {
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **clean = calloc(count + 1, sizeof *clean);
    for (size_t i = 0; clean && i < count; i++)
        if (!is_foreign(environ[i])) clean[kept++] = environ[i];
    return clean;
}

static bool spawn(char *const command[], int output, pid_t *child) {
    char **environment = clean_environment();
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    bool started =
        environment && !posix_spawn(child, command[0], &files, &attributes, command, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    free(environment);
    return started;
}

/* BR_DONE when there is something to read or the other end is closed, BR_FAILED when time is up. */
static br_outcome wait_for_output(int pipe_end, int64_t latest, const br_abort *abort) {
    struct pollfd waiting = {.fd = pipe_end, .events = POLLIN};
    while (now_ms() < latest) {
        if (abort->asked(abort->effect)) return BR_ABORTED;
        if (poll(&waiting, 1, ABORT_INTERVAL_MS) > 0) return BR_DONE;
    }
    return BR_FAILED;
}

/* Reads the child's output until it closes its end, as the server does when it listens. */
static br_outcome read_output(int pipe_end, const br_abort *abort, char message[BR_MESSAGE_BYTES]) {
    int64_t latest = now_ms() + BR_START_SECONDS * 1000;
    size_t length = 0;
    char surplus[256];
    br_outcome outcome;
    while ((outcome = wait_for_output(pipe_end, latest, abort)) == BR_DONE) {
        bool full = length == BR_MESSAGE_BYTES - 1;
        ssize_t received = full ? read(pipe_end, surplus, sizeof surplus)
                                : read(pipe_end, message + length, BR_MESSAGE_BYTES - 1 - length);
        if (received <= 0) break;
        if (!full) length += (size_t)received;
    }
    while (length && (message[length - 1] == '\n' || message[length - 1] == '\r')) length--;
    message[length] = 0;
    if (outcome == BR_FAILED)
        snprintf(message, BR_MESSAGE_BYTES, "it does not start within %d s", BR_START_SECONDS);
    return outcome;
}

/* 0 means that the child is still ours: a host that waits for every child may have reaped it, and
 * the number may be another process's by now. */
static void stop(pid_t child) {
    if (waitpid(child, NULL, WNOHANG) == 0) kill(child, SIGKILL);
}

br_outcome br_start_server(char *const command[], const br_abort *abort,
                           char message[BR_MESSAGE_BYTES]) {
    int ends[2];
    pid_t child;
    if (pipe(ends)) return BR_FAILED;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    br_outcome outcome = spawn(command, ends[1], &child) ? BR_DONE : BR_FAILED;
    close(ends[1]);
    if (outcome == BR_DONE) {
        int status = 0;
        outcome = read_output(ends[0], abort, message);
        if (outcome != BR_DONE) stop(child);
        /* It starts the server in the background and ends at once. A host that waits for every
         * child may have reaped it; then its status is unknown, and taken as success. */
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (outcome == BR_DONE && status) outcome = BR_FAILED;
    }
    close(ends[0]);
    return outcome;
}
