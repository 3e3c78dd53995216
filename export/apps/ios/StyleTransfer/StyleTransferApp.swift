import PhotosUI
import SwiftUI

@main
struct StyleTransferApp: App {
    var body: some Scene {
        WindowGroup { ContentView() }
    }
}

struct ContentView: View {
    @State private var item: PhotosPickerItem?
    @State private var style = Stylizer.styles[0]
    @State private var photo: CGImage?
    @State private var picture: CGImage?
    @State private var problem = ""

    var body: some View {
        VStack {
            if let picture {
                Image(decorative: picture, scale: 1).resizable().scaledToFit()
            }
            Text(problem)
            PhotosPicker("Choose a photograph", selection: $item, matching: .images)
            Picker("Style", selection: $style) {
                ForEach(Stylizer.styles, id: \.self) { Text($0) }
            }
        }
        .task(id: item) {
            let data = try? await item?.loadTransferable(type: Data.self)
            photo = data.flatMap(UIImage.init(data:)).flatMap(upright)
            paint()
        }
        .onChange(of: style) { _ in paint() }
    }

    /// A CGImage does not know which way the telephone was held; drawing does.
    private func upright(_ image: UIImage) -> CGImage? {
        let format = UIGraphicsImageRendererFormat()
        format.scale = 1
        let renderer = UIGraphicsImageRenderer(size: image.size, format: format)
        return renderer.image { _ in image.draw(at: .zero) }.cgImage
    }

    private func paint() {
        guard let photo else { return }
        do {
            picture = try Stylizer().paint(photo, style: style)
            problem = ""
        } catch {
            problem = error.localizedDescription
        }
    }
}
