"""The stock AWS CLI without its half second of start: a process that has it loaded forks for each command.

    python3 aws-cli.py serve SOCKET        prints a line when it is ready; ends when its standard input does
    python3 -IS aws-cli.py run SOCKET ...  like `aws ...`, with this process's environment, folder, input and outputs
"""

import os
import socket
import struct
import sys


def run(path, arguments):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    words = [os.getcwd(), str(len(arguments)), *arguments, *(f"{name}={value}" for name, value in os.environ.items())]
    message = b"\0".join(os.fsencode(word) for word in words)
    socket.send_fds(client, [struct.pack("!I", len(message))], [0, 1, 2])
    client.sendall(message)
    return struct.unpack("!i", client.recv(4))[0]


def read_exactly(connection, count):
    read = b""
    while len(read) < count:
        part = connection.recv(count - len(read))
        if not part:
            raise EOFError
        read += part
    return read


def answer(connection, driver):
    header, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    words = [os.fsdecode(word) for word in read_exactly(connection, struct.unpack("!I", header)[0]).split(b"\0")]
    folder, count = words[0], int(words[1])
    command = os.fork()
    if command == 0:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(word.split("=", 1) for word in words[2 + count :])
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        sys.argv = ["aws", *words[2 : 2 + count]]
        code = driver.main(words[2 : 2 + count])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    connection.sendall(struct.pack("!i", os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])))


def load(driver):
    """Has read what every command reads: descriptions of services, which depend on neither arguments nor environment."""
    import contextlib
    import gc

    from botocore.exceptions import DataNotFoundError

    loader = driver.session.get_component("data_loader")
    services = ("ec2", "iam", "kms", "sts")
    kinds = ("service-2", "endpoint-rule-set-1", "paginators-1", "waiters-2")
    for kind in kinds:
        loader.list_available_services(kind)
    for service in services:
        for kind in kinds:
            # Not every service has waiters.
            with contextlib.suppress(DataNotFoundError):
                loader.load_service_model(service, kind)
    for name in ("endpoints", "partitions", "_retry"):
        with contextlib.suppress(DataNotFoundError):
            loader.load_data(name)
    commands = driver.create_help_command().command_table
    for service in services:
        commands[service].create_help_command()
    # Else the first collection in a forked process would copy all of it.
    gc.collect()
    gc.freeze()


def serve(path):
    import signal

    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    load(driver)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(64)
    print("ready", flush=True)
    if os.fork() == 0:
        # Ends the server with whoever holds its standard input.
        sys.stdin.read()
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(0)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = server.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            answer(connection, driver)
            os._exit(0)
        connection.close()


if __name__ == "__main__":
    mode, path, *rest = sys.argv[1:]
    sys.exit(serve(path) if mode == "serve" else run(path, rest))
